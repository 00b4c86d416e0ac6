// The page: a header with the views, the map, and a panel for each side. Both sides live for as long as the page does,
// whichever is on view.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Config, loadConfig } from "./config.js";
import { DriverApp } from "./driver.js";
import { DriverPanel } from "./driver_panel.js";
import type { Point } from "./geo.js";
import { CityMap } from "./map.js";
import { useModel } from "./model.js";
import { named } from "./parts.js";
import { Picking } from "./picking.js";
import { RiderApp } from "./rider.js";
import { RiderPanel } from "./rider_panel.js";
import { bothScenes, driversScene, ridersScene } from "./scene.js";
import { type Side, takeTokensFromAddress } from "./session.js";
import { ridersState } from "./text.js";
import "./style.css";

/** The views by their part of the address: #ride. */
const VIEWS = { ride: "Ride", drive: "Drive", both: "Side by side" };
type View = keyof typeof VIEWS;

function viewOfAddress(): View {
  const name = location.hash.slice(1).split("&")[0];
  return name in VIEWS ? (name as View) : "ride";
}

function Page({ config, rider, driver }: { config: Config; rider: RiderApp; driver: DriverApp }) {
  useModel(rider);
  useModel(driver);
  const [view, setView] = useState(viewOfAddress);
  const [picking] = useState(() => new Picking());
  useModel(picking);
  const container = useRef<HTMLDivElement>(null);
  const map = useRef<CityMap>(undefined);

  // The map is made once; it calls what the last drawing left here.
  const pick = useRef<(point: Point) => void>(() => {});
  pick.current = (point) => {
    const target = picking.target ?? (view !== "drive" ? rider.missing : undefined)
      ?? (view !== "ride" && driver.profile && !driver.position ? "car" : undefined);
    picking.set(undefined);
    if (target === "car") {
      driver.placeCar(point);
    } else if (target) {
      rider.setStop(target, named(point, config.places));
    }
  };

  useEffect(() => {
    map.current = new CityMap(container.current!, config, (point) => pick.current(point));
    const turn = () => {
      takeTokensFromAddress().forEach(signedIn);
      setView(viewOfAddress());
    };
    addEventListener("hashchange", turn);
    return () => removeEventListener("hashchange", turn);
  }, []);

  const scene = view === "ride" ? ridersScene(rider) : view === "drive" ? driversScene(driver) : bothScenes(rider, driver);
  useEffect(() => map.current!.show(scene));

  // The map turns to a trip, and to the car of a trip, when they are new. After that it is the user's own.
  const shown = [...scene.pins, ...scene.cars.filter(({ kind }) => kind !== "nearby")];
  const trip = [view, ...scene.pins.map(({ position }) => JSON.stringify(position)), shown.length].join(" ");
  useEffect(() => map.current!.fit(shown.map(({ position }) => position)), [trip]);

  // For a tab in the background.
  const news = driver.offer ? "An offer" : rider.ride ? ridersState(rider.ride) : "";
  useEffect(() => {
    document.title = news ? `${news} · Hail` : "Hail";
  }, [news]);

  const signedIn = (side: Side) => (side === "rider" ? rider : driver).start();
  const products = new Map(config.regions.flatMap(({ products }) => products.map(({ id, name }) => [id, name] as const)));
  const common = { places: config.places, products, picking, onSignIn: signedIn };
  return (
    <div class={`page ${view}${picking.target ? " picking" : ""}`}>
      <header>
        <h1><img src="icon.svg" alt="" width="28" height="28" />Hail</h1>
        <nav aria-label="Views">
          {Object.entries(VIEWS).map(([id, name]) => (
            <a key={id} href={`#${id}`} class={id} aria-current={id === view ? "page" : undefined}>{name}</a>
          ))}
        </nav>
      </header>
      {view !== "drive" && <aside class="riders" aria-label="Rider"><div class="panel"><RiderPanel app={rider} {...common} /></div></aside>}
      <main>
        <div class="map" ref={container} />
        {picking.target && (
          <div class="hint">
            <span>Click the map</span>
            <button onClick={() => pick.current(map.current!.center)}>Take its centre</button>
            <button class="plain" onClick={() => picking.set(undefined)}>Cancel</button>
          </div>
        )}
      </main>
      {view !== "ride" && <aside class="drivers" aria-label="Driver"><div class="panel"><DriverPanel app={driver} regions={config.regions} {...common} /></div></aside>}
    </div>
  );
}

async function main() {
  const page = document.getElementById("page")!;
  takeTokensFromAddress();
  let config;
  try {
    config = await loadConfig();
  } catch (error) {
    page.textContent = `The page cannot read its configuration. ${error}`;
    return;
  }
  const rider = new RiderApp();
  const driver = new DriverApp();
  rider.start();
  driver.start();
  render(<Page config={config} rider={rider} driver={driver} />, page);
}

void main();
