// npm run bench [NAME ...]: measures against peers in the same run; see bench/README.md.
import { bun, ensurePackages, run } from "./setup.mjs"

ensurePackages()
run(bun, [".ci/build.ts"])
run(bun, ["bench/run.ts", ...process.argv.slice(2)])
