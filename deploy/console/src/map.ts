// The map: regions, places, a graticule, trips and cars, drawn by the page itself on a plain background. Tiles are an
// option (config.json). It shows a Scene, and knows nothing of riders and drivers.
import {
  AttributionControl, type GeoJSONSource, Map as MapLibre, Marker, NavigationControl, ScaleControl, setWorkerUrl,
  type StyleSpecification,
} from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import type { Config } from "./config.js";
import { between, distance, graticule, type Point } from "./geo.js";

/** A car, known by its key from one scene to the next. */
export interface Car {
  key: string;
  kind: "nearby" | "mine" | "coming";
  position: Point;
  heading?: number;
  label: string;
  /** Its position is an old one. */
  stale?: boolean;
}

export interface Pin {
  key: string;
  kind: "pickup" | "dropoff";
  position: Point;
  label: string;
  moved?: (to: Point) => void;
}

export interface Line {
  kind: "trip" | "approach";
  from: Point;
  to: Point;
}

export interface Scene {
  cars: Car[];
  pins: Pin[];
  lines: Line[];
}

setWorkerUrl(workerUrl);

const FONT = ["Inter", "system-ui", "sans-serif"];
const COLOR = {
  outside: "#d5e0e6", region: "#f7f5f0", border: "#8ba1ad", grid: "#c9d3d8", gridInside: "#e2dfd6", text: "#5b6f7a",
  place: "#8797a0", trip: "#12435a", approach: "#b26a00",
};

type Features = GeoJSON.FeatureCollection;

const collection = (features: GeoJSON.Feature[]): Features => ({ type: "FeatureCollection", features });
const coordinates = ({ latitudeDeg, longitudeDeg }: Point): [number, number] => [longitudeDeg, latitudeDeg];
const feature = (geometry: GeoJSON.Geometry, properties = {}): GeoJSON.Feature => ({ type: "Feature", geometry, properties });

function styleOf(config: Config): StyleSpecification {
  const geojson = (features: GeoJSON.Feature[]) => ({ type: "geojson" as const, data: collection(features) });
  const tiles = config.tiles;
  return {
    version: 8,
    sources: {
      ...(tiles && { tiles: { type: "raster", tiles: [tiles.url], attribution: tiles.attribution,
        tileSize: tiles.tileSize ?? 256, maxzoom: tiles.maxzoom ?? 19 } }),
      regions: geojson(config.regions.map((region) => feature(region.area, { name: region.name }))),
      places: geojson(config.places.map(({ name, position }) =>
        feature({ type: "Point", coordinates: coordinates(position) }, { name }))),
      grid: geojson([]),
      "grid-labels": geojson([]),
      lines: geojson([]),
    },
    layers: [
      { id: "background", type: "background", paint: { "background-color": COLOR.outside } },
      ...(tiles ? [{ id: "tiles", type: "raster" as const, source: "tiles" }] : [
        { id: "region", type: "fill" as const, source: "regions", paint: { "fill-color": COLOR.region } },
        { id: "grid", type: "line" as const, source: "grid", paint: { "line-color": COLOR.grid, "line-width": 1 } },
      ]),
      { id: "border", type: "line", source: "regions", paint: { "line-color": COLOR.border, "line-width": 2, "line-dasharray": [3, 2] } },
      ...(tiles ? [] : [
        { id: "place", type: "circle" as const, source: "places", minzoom: 9,
          paint: { "circle-radius": 3, "circle-color": "#ffffff", "circle-stroke-color": COLOR.place, "circle-stroke-width": 1.5 } },
        { id: "place-name", type: "symbol" as const, source: "places", minzoom: 11,
          layout: { "text-field": ["get", "name"] as any, "text-font": FONT, "text-size": 12, "text-anchor": "top" as const,
            "text-offset": [0, 0.5] as [number, number], "text-max-width": 12 },
          paint: { "text-color": COLOR.text, "text-halo-color": COLOR.region, "text-halo-width": 1.5 } },
        { id: "grid-label", type: "symbol" as const, source: "grid-labels",
          layout: { "text-field": ["get", "text"] as any, "text-font": FONT, "text-size": 10.5, "text-anchor": ["get", "anchor"] as any,
            "text-offset": [0.4, -0.2] as [number, number] },
          paint: { "text-color": COLOR.place, "text-halo-color": COLOR.region, "text-halo-width": 1 } },
      ]),
      { id: "region-name", type: "symbol", source: "regions", maxzoom: 11,
        layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": 18 },
        paint: { "text-color": COLOR.trip, "text-halo-color": COLOR.region, "text-halo-width": 2 } },
      { id: "trip", type: "line", source: "lines", filter: ["==", ["get", "kind"], "trip"], layout: { "line-cap": "round" },
        paint: { "line-color": COLOR.trip, "line-width": 5, "line-opacity": 0.85 } },
      { id: "approach", type: "line", source: "lines", filter: ["==", ["get", "kind"], "approach"], layout: { "line-cap": "round" },
        paint: { "line-color": COLOR.approach, "line-width": 4, "line-dasharray": [0.5, 2] } },
    ],
  };
}

const CAR = `<svg viewBox="-16 -16 32 32" aria-hidden="true"><g class="turn"><rect x="-6.5" y="-12" width="13" height="24" rx="5.5"/>
<path class="glass" d="M-4.4-5.2Q0-7.4 4.4-5.2L3.7-1.4H-3.7Z"/><path class="glass" d="M-3.8 6.2H3.8L4.3 8.8Q0 10 -4.3 8.8Z"/></g></svg>`;
const PIN = (letter: string) =>
  `<svg viewBox="0 0 28 38" aria-hidden="true"><path d="M14 37C14 37 2 22 2 13.5a12 12 0 0 1 24 0C26 22 14 37 14 37Z"/><text x="14" y="18.5">${letter}</text></svg>`;

/** A car that glides to each new position, in the time between two reports. */
class CarMarker {
  static readonly GLIDE = 900;
  readonly #element = document.createElement("div");
  readonly #marker: Marker;
  #from: Point;
  #to: Point;
  #began = 0;
  #frame = 0;

  constructor(map: MapLibre, car: Car) {
    this.#element.innerHTML = CAR;
    this.#element.classList.add("car", car.kind);
    this.#element.setAttribute("role", "img");
    this.#from = this.#to = car.position;
    this.#marker = new Marker({ element: this.#element, anchor: "center" }).setLngLat(coordinates(car.position)).addTo(map);
    this.show(car);
  }

  show({ position, heading, label, stale }: Car) {
    this.#element.classList.toggle("stale", stale === true);
    this.#element.setAttribute("aria-label", label);
    this.#element.title = label;
    this.#element.querySelector("g")!.setAttribute("transform", `rotate(${heading ?? 0})`);
    if (position.latitudeDeg === this.#to.latitudeDeg && position.longitudeDeg === this.#to.longitudeDeg) {
      return;
    }
    const jump = matchMedia("(prefers-reduced-motion: reduce)").matches || distance(this.#to, position) > 1000;
    this.#from = jump ? position : this.#now();
    this.#to = position;
    this.#began = performance.now();
    cancelAnimationFrame(this.#frame);
    this.#glide();
  }

  #share() {
    return Math.min(1, (performance.now() - this.#began) / CarMarker.GLIDE);
  }

  #now() {
    return between(this.#from, this.#to, this.#share());
  }

  #glide() {
    this.#marker.setLngLat(coordinates(this.#now()));
    if (this.#share() < 1) {
      this.#frame = requestAnimationFrame(() => this.#glide());
    }
  }

  remove() {
    cancelAnimationFrame(this.#frame);
    this.#marker.remove();
  }
}

class PinMarker {
  readonly #marker: Marker;
  readonly #element = document.createElement("div");
  #moved?: (to: Point) => void;
  #position: Point;

  constructor(map: MapLibre, pin: Pin) {
    this.#position = pin.position;
    this.#element.innerHTML = PIN(pin.kind === "pickup" ? "A" : "B");
    this.#element.setAttribute("role", "img");
    this.#element.classList.add("pin", pin.kind);
    this.#marker = new Marker({ element: this.#element, anchor: "bottom" }).setLngLat(coordinates(pin.position)).addTo(map);
    this.#marker.on("dragend", () => {
      const { lat, lng } = this.#marker.getLngLat();
      this.#moved?.({ latitudeDeg: lat, longitudeDeg: lng });
    });
    this.show(pin);
  }

  show({ position, label, moved }: Pin) {
    this.#element.setAttribute("aria-label", label);
    this.#element.title = label;
    this.#moved = moved;
    this.#marker.setDraggable(moved !== undefined);
    if (distance(this.#position, position) > 0) { // Else it stays in the hand that drags it.
      this.#position = position;
      this.#marker.setLngLat(coordinates(position));
    }
  }

  remove() {
    this.#marker.remove();
  }
}

export class CityMap {
  readonly #map: MapLibre;
  readonly #cars = new Map<string, CarMarker>();
  readonly #pins = new Map<string, PinMarker>();
  #ready = false;
  #lines: Line[] = [];

  constructor(container: HTMLElement, config: Config, onPick: (point: Point) => void) {
    this.#map = new MapLibre({
      container, style: styleOf(config), center: coordinates(config.center), zoom: config.zoom, minZoom: 2, maxZoom: 18,
      attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false,
    });
    this.#map.touchZoomRotate.disableRotation();
    this.#map.keyboard.disableRotation();
    this.#map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    this.#map.addControl(new ScaleControl({ unit: "metric" }), "bottom-right");
    if (config.tiles) {
      this.#map.addControl(new AttributionControl({ compact: true }), "bottom-right");
    }
    this.#map.getCanvas().setAttribute("aria-label", "Map. Arrow keys move it, plus and minus change its scale.");
    this.#map.on("load", () => {
      this.#ready = true;
      this.#drawGrid();
      this.#drawLines();
    });
    this.#map.on("move", () => this.#drawGrid());
    container.ariaBusy = "true";
    this.#map.on("movestart", () => { container.ariaBusy = "true"; });
    this.#map.on("idle", () => { container.ariaBusy = "false"; });
    this.#map.on("click", ({ lngLat }) => onPick({ latitudeDeg: lngLat.lat, longitudeDeg: lngLat.lng }));
  }

  get center(): Point {
    const { lat, lng } = this.#map.getCenter();
    return { latitudeDeg: lat, longitudeDeg: lng };
  }

  show({ cars, pins, lines }: Scene) {
    replace(this.#cars, cars, (car) => new CarMarker(this.#map, car));
    replace(this.#pins, pins, (pin) => new PinMarker(this.#map, pin));
    this.#lines = lines;
    this.#drawLines();
  }

  /** Moves the map so that all points are on it. A single one need only be on view. */
  fit(points: Point[]) {
    if (points.length === 0 || (points.length === 1 && this.#map.getBounds().contains(coordinates(points[0])))) {
      return;
    }
    const latitudes = points.map(({ latitudeDeg }) => latitudeDeg);
    const longitudes = points.map(({ longitudeDeg }) => longitudeDeg);
    this.#map.fitBounds(
      [[Math.min(...longitudes), Math.min(...latitudes)], [Math.max(...longitudes), Math.max(...latitudes)]],
      { padding: { top: 70, bottom: 50, left: 60, right: 60 }, maxZoom: 15, duration: 600 });
  }

  #source(name: string): GeoJSONSource {
    return this.#map.getSource<GeoJSONSource>(name)!;
  }

  #drawLines() {
    if (this.#ready) {
      this.#source("lines").setData(collection(this.#lines.map(({ kind, from, to }) =>
        feature({ type: "LineString", coordinates: [coordinates(from), coordinates(to)] }, { kind }))));
    }
  }

  /** Round degrees, with their numbers at the left and lower edge. */
  #drawGrid() {
    if (!this.#ready) {
      return;
    }
    const bounds = this.#map.getBounds();
    const [west, south, east, north] = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    const wanted = Math.max(3, Math.round(this.#map.getContainer().clientWidth / 90));
    const { parallels, meridians, digits } = graticule({ west, south, east, north }, wanted);
    const line = (from: [number, number], to: [number, number]) => feature({ type: "LineString", coordinates: [from, to] });
    const label = (at: [number, number], text: string) => feature({ type: "Point", coordinates: at }, { text, anchor: "bottom-left" });
    const degrees = (value: number, positive: string, negative: string) =>
      `${Math.abs(value).toFixed(digits)}° ${value < 0 ? negative : positive}`;
    this.#source("grid").setData(collection([
      ...parallels.map((latitude) => line([west, latitude], [east, latitude])),
      ...meridians.map((longitude) => line([longitude, south], [longitude, north])),
    ]));
    this.#source("grid-labels").setData(collection([
      ...parallels.map((latitude) => label([west, latitude], degrees(latitude, "N", "S"))),
      ...meridians.map((longitude) => label([longitude, south], degrees(longitude, "E", "W"))),
    ]));
  }
}

/** Shows what is there, adds what is new, and removes what is gone. */
function replace<T extends { key: string }>(
  markers: Map<string, { show(item: T): void; remove(): void }>, items: T[],
  create: (item: T) => { show(item: T): void; remove(): void },
) {
  const keys = new Set(items.map(({ key }) => key));
  for (const [key, marker] of markers) {
    if (!keys.has(key)) {
      marker.remove();
      markers.delete(key);
    }
  }
  for (const item of items) {
    const marker = markers.get(item.key);
    if (marker) {
      marker.show(item);
    } else {
      markers.set(item.key, create(item));
    }
  }
}
