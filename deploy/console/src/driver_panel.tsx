import { useId, useState } from "preact/hooks";
import type { NamedPlace, Region } from "./config.js";
import type { DriverApp, LiveOffer, Step } from "./driver.js";
import { OfferStatus } from "./gen/hail/driver/v1/driver_service_pb.js";
import { type Ride, RideState, WaitReason } from "./gen/hail/type/v1/ride_pb.js";
import { useClock, useModel } from "./model.js";
import { Busy, GiveUp, Headline, History, Identity, named, PlaceField, Plate, Problem, SignIn } from "./parts.js";
import type { Picking } from "./picking.js";
import type { Side } from "./session.js";
import * as text from "./text.js";

interface Props {
  app: DriverApp;
  places: NamedPlace[];
  regions: Region[];
  products: Map<string, string>;
  picking: Picking;
  onSignIn: (side: Side) => void;
}

export function DriverPanel({ app, places, regions, products, picking, onSignIn }: Props) {
  useModel(app);
  useModel(picking);
  const { person, profile, end } = app;
  if (!person) {
    return <SignIn side="driver" onSignIn={onSignIn} />;
  }
  return (
    <>
      <Identity person={person} side="driver" link={app.link} onSignOut={() => app.signOut()} />
      {profile === null && <Registration app={app} regions={regions} />}
      {app.replaced && (
        <div class="card">
          <Headline>You drive elsewhere</Headline>
          <p>Another page or phone has taken this driver's session.</p>
          <button class="primary" onClick={() => app.open()}>Drive here</button>
        </div>
      )}
      {profile && !app.replaced && (
        <>
          {app.offer && <OfferCard key={app.offer.offer.offerId} app={app} live={app.offer} products={products} />}
          {app.ride && <TripCard app={app} ride={app.ride} />}
          {end && !app.ride && !app.offer && (
            <div class="card">
              <Headline>{text.driversEnd(end)}</Headline>
              {end.ride?.fare?.final && <p class="eta"><strong>{text.money(end.ride.fare.final)}</strong></p>}
            </div>
          )}
          {app.offerEnd && !app.offer && !app.ride && <p class="notice" role="status">{text.offerEnd(app.offerEnd)}</p>}
          <div class="card">
            <div class="online">
              <div>
                <div role="status"><h2>{app.state ? text.driversState(app.state) : "Connecting"}</h2></div>
                <small>{text.vehicle(profile.vehicle)} <Plate>{profile.vehicle?.plate}</Plate></small>
              </div>
              <button role="switch" aria-checked={app.online} aria-label="Online" class="switch"
                disabled={!app.state || app.busy !== ""} onClick={() => void app.setOnline(!app.online)} />
            </div>
            <PlaceField label="My car" value={app.position && named(app.position, places)} places={places}
              picking={picking.target === "car"} onPicking={(on) => picking.set(on ? "car" : undefined)}
              onChange={(stop) => stop && app.placeCar(stop.position)} />
          </div>
        </>
      )}
      <Busy what={app.busy} />
      <Problem failure={app.failure} />
      {app.link === "closed" && profile && !app.replaced && (
        <button class="primary" onClick={() => app.open()}>Connect again</button>
      )}
      <History events={app.events} resumed={app.resumed} />
    </>
  );
}

function OfferCard({ app, live, products }: { app: DriverApp; live: LiveOffer; products: Map<string, string> }) {
  const now = useClock(200);
  const { offer } = live;
  const left = Math.max(0, live.ends - now);
  const confirming = offer.status === OfferStatus.CONFIRMING;
  return (
    <div class="card offer">
      <div class="head">
        <Headline>{confirming ? "Being confirmed" : `${offer.riderDisplayName || "A rider"} needs a ride`}</Headline>
        {!confirming && <span class="countdown" role="timer" aria-label="Seconds left">{Math.ceil(left / 1000)}</span>}
      </div>
      <progress max={live.length} value={left} aria-label="Time left" />
      <p class="eta"><strong>{text.money(offer.fare)}</strong> {products.get(offer.productId) ?? offer.productId}</p>
      <dl>
        <dt>Pickup</dt><dd>{offer.pickup?.address || "on the map"}, {text.length(offer.pickupDistanceM)}
          {offer.pickupEta && `, ${text.time(offer.pickupEta)}`}</dd>
        {offer.pickup?.note && <><dt>Note</dt><dd>{offer.pickup.note}</dd></>}
        <dt>Trip</dt><dd>to {offer.dropoff?.address || "the drop-off on the map"}, {text.length(offer.tripDistanceM)}
          {offer.tripDuration && `, ${text.time(offer.tripDuration)}`}</dd>
      </dl>
      <div class="row">
        <button class="primary" disabled={confirming || app.busy !== ""} onClick={() => void app.respond(true)}>Accept</button>
        <button disabled={confirming || app.busy !== ""} onClick={() => void app.respond(false)}>Decline</button>
      </div>
    </div>
  );
}

const NEXT: Partial<Record<RideState, { name: string; what: string; step: Step }>> = {
  [RideState.ENROUTE_TO_PICKUP]: { name: "I am at the pickup", what: "Arriving", step: { case: "arrive", value: {} } },
  [RideState.ARRIVED_AT_PICKUP]: { name: "The rider is on board", what: "Starting", step: { case: "start", value: {} } },
  [RideState.ENROUTE_TO_DROPOFF]: { name: "Complete the ride", what: "Completing", step: { case: "complete", value: {} } },
};

const SPEEDS: [number, string][] = [[8, "30 km/h"], [15, "54 km/h"], [30, "108 km/h"], [60, "216 km/h, for a demonstration"]];

function TripCard({ app, ride }: { app: DriverApp; ride: Ride }) {
  const field = useId();
  const next = NEXT[ride.state];
  const place = ride.state === RideState.ENROUTE_TO_DROPOFF ? ride.dropoff : ride.pickup;
  const canWait = ride.state === RideState.ARRIVED_AT_PICKUP || ride.state === RideState.ENROUTE_TO_DROPOFF;
  return (
    <div class="card ride" data-state={RideState[ride.state]}>
      <Headline>{text.driversRideState(ride)}</Headline>
      <dl>
        <dt>{ride.state === RideState.ENROUTE_TO_DROPOFF ? "Drop-off" : "Pickup"}</dt><dd>{place?.address || "on the map"}</dd>
        {place?.note && <><dt>Note</dt><dd>{place.note}</dd></>}
        <dt>Fare</dt><dd>{text.money(ride.fare?.quoted)}</dd>
      </dl>
      {app.goal && (
        <div class="row drive">
          <button aria-pressed={app.driving} disabled={!app.position} onClick={() => app.setDriving(!app.driving)}>
            {app.driving ? "Stop the car" : "Drive along the route"}</button>
          <label class="hidden" for={`${field}-speed`}>Speed</label>
          <select id={`${field}-speed`} value={app.speed} onChange={(event) => app.setSpeed(Number(event.currentTarget.value))}>
            {SPEEDS.map(([speed, name]) => <option key={speed} value={speed}>{name}</option>)}
          </select>
        </div>
      )}
      {next && <button class="primary" disabled={app.busy !== ""} onClick={() => void app.advance(next.what, next.step)}>{next.name}</button>}
      {canWait && <Waiting key={ride.state} app={app} ride={ride} />}
      <GiveUp title="Give this ride up" action="Give the ride up" reasons={text.DRIVERS_REASONS} disabled={app.busy !== ""}
        onSubmit={(reason, note) => void app.advance("Giving the ride up", { case: "cancel", value: { reason, note } })} />
    </div>
  );
}

function Waiting({ app, ride }: { app: DriverApp; ride: Ride }) {
  const [reason, setReason] = useState(WaitReason.RIDER_NOT_THERE);
  const field = useId();
  return (
    <div class="row">
      <label class="hidden" for={field}>Why you wait</label>
      <select id={field} value={reason} onChange={(event) => setReason(Number(event.currentTarget.value))}>
        {text.ALL_WAIT_REASONS.map((each) => <option key={each} value={each}>{text.waitReason(each)}</option>)}
      </select>
      <button disabled={app.busy !== "" || ride.wait?.reason === reason}
        onClick={() => void app.advance("Waiting", { case: "wait", value: { reason } })}>I wait</button>
    </div>
  );
}

function Registration({ app, regions }: { app: DriverApp; regions: Region[] }) {
  const [regionId, setRegionId] = useState(regions[0].regionId);
  const field = useId();
  const region = regions.find((each) => each.regionId === regionId) ?? regions[0];
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const values = new FormData(event.currentTarget as HTMLFormElement);
    const value = (name: string) => String(values.get(name)).trim();
    void app.register({
      displayName: value("name"), regionId, productIds: values.getAll("product").map(String),
      vehicle: { make: value("make"), model: value("model"), color: value("color"), plate: value("plate"), seats: Number(value("seats")) },
    });
  };
  const input = (name: string, label: string, more = {}) => (
    <div><label for={`${field}-${name}`}>{label}</label><input id={`${field}-${name}`} name={name} maxLength={32} {...more} /></div>
  );
  return (
    <form class="card" onSubmit={submit}>
      <h2 class="headline">Register as a driver</h2>
      {input("name", "Name that riders see", { required: true, autocomplete: "given-name" })}
      <div>
        <label for={`${field}-region`}>Region</label>
        <select id={`${field}-region`} value={regionId} onChange={(event) => setRegionId(event.currentTarget.value)}>
          {regions.map((each) => <option key={each.regionId} value={each.regionId}>{each.name}</option>)}
        </select>
      </div>
      <div class="columns">
        {input("color", "Colour", { placeholder: "green" })}
        {input("make", "Make", { placeholder: "Toyota" })}
        {input("model", "Model", { placeholder: "Prius" })}
        {input("plate", "Plate", { required: true })}
        {input("seats", "Seats", { type: "number", min: 1, max: 8, value: 4, required: true })}
      </div>
      <fieldset>
        <legend>Rides that the car serves</legend>
        {region.products.map(({ id, name }, index) => (
          <label key={`${regionId} ${id}`} class="check"><input type="checkbox" name="product" value={id} defaultChecked={index === 0} /> {name}</label>
        ))}
      </fieldset>
      <button class="primary" disabled={app.busy !== ""}>Register</button>
    </form>
  );
}
