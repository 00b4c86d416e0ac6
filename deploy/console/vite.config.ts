import { copyFileSync, mkdirSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const SHIPPED_REGIONS = "../../rider-service/config/regions.json";
const OUT = "../../build/console";

// The map draws the regions that rider-service serves unless its operator names another file.
const regions: Plugin = {
  name: "hail-regions",
  closeBundle() {
    mkdirSync(OUT, { recursive: true });
    copyFileSync(SHIPPED_REGIONS, `${OUT}/regions.json`);
  },
};

export default defineConfig({
  // The page works below any path.
  base: "./",
  plugins: [regions],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    // The map's library is one file of a megabyte.
    chunkSizeWarningLimit: 2000,
    // The policy of the edge (CSP) allows no data: in scripts and styles.
    assetsInlineLimit: 0,
  },
});
