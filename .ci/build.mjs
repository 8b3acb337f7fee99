// npm run build: puts the executable at dist/edge; --all for every target of Bun.
import { bun, ensurePackages, run } from "./setup.mjs"

ensurePackages()
run(bun, [".ci/build.ts", ...process.argv.slice(2)])
