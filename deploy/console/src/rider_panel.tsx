import { useId } from "preact/hooks";
import type { NamedPlace } from "./config.js";
import type { Quote } from "./gen/hail/rider/v1/rider_service_pb.js";
import { type Ride, RideState } from "./gen/hail/type/v1/ride_pb.js";
import { useModel } from "./model.js";
import { Busy, GiveUp, Headline, History, Identity, PlaceField, Plate, Problem, SignIn } from "./parts.js";
import type { Picking } from "./picking.js";
import { type End, type RiderApp, tooShort } from "./rider.js";
import type { Side } from "./session.js";
import * as text from "./text.js";

interface Props {
  app: RiderApp;
  places: NamedPlace[];
  /** The name of each product. */
  products: Map<string, string>;
  picking: Picking;
  onSignIn: (side: Side) => void;
}

export function RiderPanel({ app, places, products, picking, onSignIn }: Props) {
  useModel(app);
  if (!app.person) {
    return <SignIn side="rider" onSignIn={onSignIn} />;
  }
  return (
    <>
      <Identity person={app.person} side="rider" link={app.link} onSignOut={() => app.signOut()} />
      {app.ride ? <RideCard app={app} ride={app.ride} products={products} />
        : <TripForm app={app} places={places} products={products} picking={picking} />}
      <Busy what={app.busy} />
      <Problem failure={app.failure} />
      <History events={app.events} resumed={app.resumed} />
    </>
  );
}

function TripForm({ app, places, products, picking }: Omit<Props, "onSignIn">) {
  useModel(picking);
  const field = useId();
  const chosen = app.quotes.find(({ productId }) => productId === app.productId);
  const stop = (end: End, label: string) => (
    <PlaceField label={label} value={app.stops[end]} places={places} picking={picking.target === end}
      onPicking={(on) => picking.set(on ? end : undefined)} onChange={(value) => app.setStop(end, value)}
      marker={<span class={`dot ${end}`} aria-hidden="true">{end === "pickup" ? "A" : "B"}</span>} />
  );
  return (
    <form class="card" onSubmit={(event) => { event.preventDefault(); void app.request(); }}>
      <h2 class="headline">Where to?</h2>
      {stop("pickup", "Pickup")}
      {stop("dropoff", "Drop-off")}
      {tooShort(app.stops) && <p class="error">Pickup and drop-off are less than 20 m apart.</p>}
      <details>
        <summary>Name and note for the driver</summary>
        <label for={`${field}-name`}>Your name</label>
        <input id={`${field}-name`} value={app.name} maxLength={40} autocomplete="given-name"
          onInput={(event) => app.setName(event.currentTarget.value)} />
        <label for={`${field}-note`}>Note about the pickup</label>
        <input id={`${field}-note`} value={app.note} maxLength={80} placeholder="Blue door, ring twice"
          onInput={(event) => app.setNote(event.currentTarget.value)} />
      </details>
      {app.quotes.length > 0 && (
        <fieldset class="quotes">
          <legend>Choose a ride</legend>
          {app.quotes.map((quote) => (
            <QuoteOption key={quote.productId} quote={quote} name={products.get(quote.productId) ?? quote.productId}
              checked={quote === chosen} onChoose={() => app.choose(quote.productId)} />
          ))}
        </fieldset>
      )}
      {chosen && (
        <p class="help">{text.length(chosen.distanceM)}, about {text.time(chosen.tripDuration)}. The price holds until {text.clock(chosen.expireTime)}.</p>
      )}
      <button class="primary" disabled={!chosen || app.busy !== ""}>
        {chosen ? `Request ${products.get(chosen.productId) ?? chosen.productId} · ${text.money(chosen.fare)}` : "Choose pickup and drop-off"}
      </button>
    </form>
  );
}

function QuoteOption({ quote, name, checked, onChoose }: { quote: Quote; name: string; checked: boolean; onChoose: () => void }) {
  return (
    <label class={checked ? "quote chosen" : "quote"}>
      <input type="radio" name="product" checked={checked} onChange={onChoose} />
      <span class="product"><strong>{name}</strong>
        <small>{quote.pickupEta ? `${text.time(quote.pickupEta)} away` : "no car near"}</small></span>
      <span class="price">{text.money(quote.fare)}</span>
    </label>
  );
}

const STEPS: [RideState, string][] = [
  [RideState.MATCHING, "Matching"], [RideState.ENROUTE_TO_PICKUP, "Coming"], [RideState.ARRIVED_AT_PICKUP, "Here"],
  [RideState.ENROUTE_TO_DROPOFF, "Riding"], [RideState.COMPLETED, "Done"],
];

function Progress({ state }: { state: RideState }) {
  const now = STEPS.findIndex(([each]) => each === state);
  if (now < 0) {
    return null;
  }
  return (
    <ol class="steps" aria-label="Progress">
      {STEPS.map(([each, name], index) => (
        <li key={each} class={index < now ? "past" : index === now ? "now" : ""} aria-current={index === now ? "step" : undefined}>{name}</li>
      ))}
    </ol>
  );
}

function RideCard({ app, ride, products }: { app: RiderApp; ride: Ride; products: Map<string, string> }) {
  const { driver, fare } = ride;
  const moving = ride.state === RideState.ENROUTE_TO_PICKUP || ride.state === RideState.ENROUTE_TO_DROPOFF;
  const eta = moving ? app.telemetry?.eta ?? (ride.state === RideState.ENROUTE_TO_PICKUP ? ride.pickupEta : undefined) : undefined;
  return (
    <div class="card ride" data-state={RideState[ride.state]}>
      <Headline>{text.ridersState(ride)}</Headline>
      {eta && <p class="eta"><strong>{text.time(eta)}</strong> {ride.state === RideState.ENROUTE_TO_PICKUP ? "to the pickup" : "to the drop-off"}</p>}
      {ride.state === RideState.MATCHING && <p class="eta searching"><span class="spinner" aria-hidden="true" />until {text.clock(ride.matchDeadline)}</p>}
      {ride.wait && <p class="notice">The driver waits: {text.waitReason(ride.wait.reason)}</p>}
      {app.telemetry?.missingSince && moving && <p class="notice">No position of the car since {text.clock(app.telemetry.missingSince)}</p>}
      <Progress state={ride.state} />
      {driver && ride.state !== RideState.MATCHING && (
        <div class="driver">
          <span class="avatar" aria-hidden="true">{driver.displayName.slice(0, 1).toUpperCase()}</span>
          <span class="who"><strong>{driver.displayName}</strong> <small>{text.vehicle(driver.vehicle)}</small></span>
          <Plate>{driver.vehicle?.plate}</Plate>
        </div>
      )}
      <dl>
        <dt>From</dt><dd>{ride.pickup?.address || "the pickup on the map"}</dd>
        <dt>To</dt><dd>{ride.dropoff?.address || "the drop-off on the map"}</dd>
        <dt>{products.get(ride.productId) ?? ride.productId}</dt>
        <dd>{fare?.final ? `${text.money(fare.final)} paid`
          : fare?.cancellationFee ? `${text.money(fare.cancellationFee)} for canceling` : text.money(fare?.quoted)}</dd>
      </dl>
      {app.over ? <button class="primary" onClick={() => app.forgetRide()}>Next ride</button>
        : <GiveUp title="Cancel this ride" action="Cancel the ride" reasons={text.RIDERS_REASONS} disabled={app.busy !== ""}
            onSubmit={(reason, note) => void app.cancel(reason, note)} />}
    </div>
  );
}
