// Geometry on the sphere, and the lines of the map. Pure functions.

export interface Point {
  latitudeDeg: number;
  longitudeDeg: number;
}

const EARTH_RADIUS_M = 6_371_000;
const radians = (degrees: number) => (degrees * Math.PI) / 180;

/** Metres between two points. */
export function distance(a: Point, b: Point): number {
  const latitude = radians(b.latitudeDeg - a.latitudeDeg);
  const longitude = radians(b.longitudeDeg - a.longitudeDeg);
  const h = Math.sin(latitude / 2) ** 2
    + Math.cos(radians(a.latitudeDeg)) * Math.cos(radians(b.latitudeDeg)) * Math.sin(longitude / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The course from `a` to `b`, in degrees clockwise from north, [0, 360). */
export function course(a: Point, b: Point): number {
  const from = radians(a.latitudeDeg);
  const to = radians(b.latitudeDeg);
  const longitude = radians(b.longitudeDeg - a.longitudeDeg);
  const east = Math.sin(longitude) * Math.cos(to);
  const north = Math.cos(from) * Math.sin(to) - Math.sin(from) * Math.cos(to) * Math.cos(longitude);
  return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
}

/** The point at `share` of the way from `a` to `b`: 0 is `a`, 1 is `b`. Good within a city. */
export function between(a: Point, b: Point, share: number): Point {
  return {
    latitudeDeg: a.latitudeDeg + (b.latitudeDeg - a.latitudeDeg) * share,
    longitudeDeg: a.longitudeDeg + (b.longitudeDeg - a.longitudeDeg) * share,
  };
}

/** The point `metres` from `from` towards `to`, and no further than `to`. */
export function towards(from: Point, to: Point, metres: number): Point {
  const whole = distance(from, to);
  return whole <= metres ? to : between(from, to, metres / whole);
}

/** "37.79550, -122.39370": the form that parsePoint reads. */
export function pointText({ latitudeDeg, longitudeDeg }: Point): string {
  return `${latitudeDeg.toFixed(5)}, ${longitudeDeg.toFixed(5)}`;
}

/** A point from "latitude, longitude" in degrees; undefined if the text is none. */
export function parsePoint(text: string): Point | undefined {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*[,;\s]\s*(-?\d+(?:\.\d+)?)\s*$/.exec(text);
  if (!match) {
    return undefined;
  }
  const [latitudeDeg, longitudeDeg] = [Number(match[1]), Number(match[2])];
  return Math.abs(latitudeDeg) <= 90 && Math.abs(longitudeDeg) <= 180 ? { latitudeDeg, longitudeDeg } : undefined;
}

export interface Bounds {
  west: number;
  south: number;
  east: number;
  north: number;
}

/** Parallels and meridians at round degrees. */
export interface Graticule {
  parallels: number[];
  meridians: number[];
  /** Digits after the point that tell them apart. */
  digits: number;
}

// Degrees between two lines.
const INTERVALS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 45];

/** The lines within `bounds`, about `wanted` of them from west to east. */
export function graticule({ west, south, east, north }: Bounds, wanted: number): Graticule {
  const interval = INTERVALS.find((each) => (east - west) / each <= wanted) ?? INTERVALS[INTERVALS.length - 1];
  const within = (low: number, high: number) => {
    const lines = [];
    // By whole numbers, because sums of fractions drift.
    for (let n = Math.ceil(low / interval); n * interval <= high; ++n) {
      lines.push(n * interval);
    }
    return lines;
  };
  return {
    parallels: within(Math.max(south, -85), Math.min(north, 85)),
    meridians: within(west, east),
    digits: Math.max(0, Math.ceil(-Math.log10(interval))),
  };
}
