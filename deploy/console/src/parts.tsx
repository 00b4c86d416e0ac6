// The parts that both sides of the page share.
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useState } from "preact/hooks";
import type { NamedPlace } from "./config.js";
import type { CancelReason, RideEvent } from "./gen/hail/type/v1/ride_pb.js";
import { distance, parsePoint, type Point, pointText } from "./geo.js";
import type { Link, Stop } from "./rider.js";
import type { Failure } from "./rules.js";
import { type Person, type Side, signIn } from "./session.js";
import * as text from "./text.js";

/** A point as people know it. */
export function named(position: Point, places: NamedPlace[]): Stop {
  const near = places.find((place) => distance(place.position, position) < 60);
  return { position, address: near?.name ?? "" };
}

/** The state that a card is about. Read aloud when it changes. */
export function Headline({ children }: { children: ComponentChildren }) {
  return <div role="status"><h2 class="headline">{children}</h2></div>;
}

export function SignIn({ side, onSignIn }: { side: Side; onSignIn: (side: Side) => void }) {
  const [error, setError] = useState("");
  const field = useId();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    try {
      const found = signIn(String(new FormData(form).get("token")));
      form.reset();
      setError(found === side ? "" : `This is a ${found}'s token: the ${found} is signed in with it.`);
      onSignIn(found);
    } catch (e) {
      setError((e as Error).message);
    }
  };
  return (
    <form class="card" onSubmit={submit}>
      <h2 class="headline">Sign in as a {side}</h2>
      <label for={field}>Token</label>
      <input id={field} name="token" type="password" autocomplete="off" spellcheck={false} required
        aria-invalid={error !== ""} aria-describedby={`${field}-help`} />
      <p id={`${field}-help`} class={error ? "error" : "help"}>
        {error || <>For development: <code>deploy/edge/files.py token {side} {side === "rider" ? "ada" : "grace"}</code></>}
      </p>
      <button class="primary">Sign in</button>
    </form>
  );
}

export function Identity({ person, side, link, onSignOut }: { person: Person; side: Side; link: Link; onSignOut: () => void }) {
  return (
    <div class="identity">
      <span class="avatar" aria-hidden="true">{person.id.slice(0, 1).toUpperCase()}</span>
      <span class="who"><strong>{person.id}</strong> <small>{side}</small></span>
      {link !== "closed" && <span class={`link ${link}`}>{link === "live" ? "live" : "resuming"}</span>}
      <button class="plain" onClick={onSignOut}>Sign out</button>
    </div>
  );
}

interface PlaceFieldProps {
  label: string;
  value: Stop | undefined;
  places: NamedPlace[];
  /** Clicks on the map set this field. */
  picking: boolean;
  onPicking: (picking: boolean) => void;
  onChange: (stop: Stop | undefined) => void;
  marker?: ComponentChildren;
}

/** A place by its name or as "latitude, longitude", or from the map. */
export function PlaceField({ label, value, places, picking, onPicking, onChange, marker }: PlaceFieldProps) {
  const shown = value ? value.address || pointText(value.position) : "";
  const [typed, setTyped] = useState(shown);
  const [error, setError] = useState("");
  const field = useId();
  // Before the next input: an effect that runs later would overwrite it.
  useLayoutEffect(() => {
    setTyped(shown);
    setError("");
  }, [shown]);
  const take = () => {
    const known = places.find(({ name }) => name.toLowerCase() === typed.trim().toLowerCase());
    const point = known?.position ?? parsePoint(typed);
    if (typed.trim() === "") {
      onChange(undefined);
    } else if (point) {
      setError("");
      onChange(known ? { position: known.position, address: known.name } : named(point, places));
    } else {
      setError("Neither a place of the list nor “latitude, longitude”.");
    }
  };
  return (
    <div class="place">
      <div class="name">{marker}<label for={field}>{label}</label></div>
      <div class="row">
        <input id={field} value={typed} list={`${field}-places`} placeholder="Place, or 37.7955, -122.3937" autocomplete="off"
          aria-invalid={error !== ""} aria-describedby={error ? `${field}-error` : undefined}
          onInput={(event) => setTyped(event.currentTarget.value)} onChange={take} />
        <button type="button" class="pick" aria-pressed={picking} aria-label={`${label}: choose on the map`} title="Choose on the map"
          onClick={() => onPicking(!picking)}>
          <svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="6" /><path d="M12 2v6M12 16v6M2 12h6M16 12h6" /></svg>
        </button>
      </div>
      <datalist id={`${field}-places`}>{places.map(({ name }) => <option key={name} value={name} />)}</datalist>
      {error && <p id={`${field}-error`} class="error">{error}</p>}
    </div>
  );
}

/** What went wrong last. Read aloud when it appears. */
export function Problem({ failure }: { failure: Failure | undefined }) {
  return <div role="alert">{failure && <p class="problem">{text.failure(failure)}</p>}</div>;
}

export function Busy({ what }: { what: string }) {
  return <p class="busy" role="status">{what && <><span class="spinner" aria-hidden="true" />{what}…</>}</p>;
}

export function History({ events, resumed }: { events: RideEvent[]; resumed: number }) {
  if (events.length === 0) {
    return null;
  }
  return (
    <section class="card">
      <h2>History</h2>
      <ol class="events">
        {events.map((event) => (
          <li key={String(event.sequence)} data-sequence={String(event.sequence)}>
            <span>{text.event(event)}</span>
            <time>{text.clock(event.eventTime)}</time>
          </li>
        ))}
      </ol>
      {resumed > 0 && <p class="help">Connected again {resumed === 1 ? "once" : `${resumed} times`}; nothing was missed.</p>}
    </section>
  );
}

interface GiveUpProps {
  title: string;
  action: string;
  reasons: CancelReason[];
  disabled: boolean;
  onSubmit: (reason: CancelReason, note: string) => void;
}

/** Canceling asks for a reason first. */
export function GiveUp({ title, action, reasons, disabled, onSubmit }: GiveUpProps) {
  const [reason, setReason] = useState(reasons[0]);
  const [note, setNote] = useState("");
  const field = useId();
  return (
    <details class="give-up">
      <summary>{title}</summary>
      <form onSubmit={(event) => { event.preventDefault(); onSubmit(reason, note); }}>
        <label for={`${field}-reason`}>Reason</label>
        <select id={`${field}-reason`} value={reason} onChange={(event) => setReason(Number(event.currentTarget.value))}>
          {reasons.map((each) => <option key={each} value={each}>{text.cancelReason(each)}</option>)}
        </select>
        <label for={`${field}-note`}>Note</label>
        <input id={`${field}-note`} value={note} maxLength={120} onInput={(event) => setNote(event.currentTarget.value)} />
        <button class="danger" disabled={disabled}>{action}</button>
      </form>
    </details>
  );
}

export function Plate({ children }: { children: ComponentChildren }) {
  return <span class="plate">{children}</span>;
}
