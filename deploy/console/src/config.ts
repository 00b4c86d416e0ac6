// What the operator of the page sets: config.json, beside it.
import type { Point } from "./geo.js";

export interface Region {
  regionId: string;
  name: string;
  products: { id: string; name: string }[];
  /** A ring of [longitude, latitude], as in GeoJSON. */
  area: GeoJSON.Polygon | GeoJSON.MultiPolygon;
}

export interface NamedPlace {
  name: string;
  position: Point;
}

/** Raster tiles below everything else. Their hosts also belong to connect-src of the page's policy. */
export interface Tiles {
  url: string;
  attribution: string;
  tileSize?: number;
  maxzoom?: number;
}

export interface Config {
  tiles: Tiles | null;
  regions: Region[];
  places: NamedPlace[];
  /** Where the map begins. */
  center: Point;
  zoom: number;
}

async function load(url: string): Promise<any> {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`${url}: ${response.status}`);
  }
  return response.json();
}

export async function loadConfig(): Promise<Config> {
  const file = await load("config.json");
  const { regions } = await load(file.regions);
  return {
    tiles: file.tiles,
    center: { latitudeDeg: file.center[0], longitudeDeg: file.center[1] },
    zoom: file.zoom,
    places: Object.entries<[number, number]>(file.places).map(
      ([name, [latitudeDeg, longitudeDeg]]) => ({ name, position: { latitudeDeg, longitudeDeg } })),
    regions: regions.map((region: any): Region => ({
      regionId: region.region_id,
      name: region.display_name,
      products: region.products.map((each: any) => ({ id: each.product_id, name: each.display_name })),
      area: region.area,
    })),
  };
}
