// npm start: installs, builds and runs the demo, which prints what to open.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { bun, ensurePackages, root, run } from "./setup.mjs"

ensurePackages()
run(bun, [".ci/build.ts"])
const edge = spawn(join(root, "dist", "edge"), ["--config", join(root, "examples", "demo", "site.toml")], { stdio: "inherit" })
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => edge.kill(signal))
edge.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)))
