/** npm run bench [NAME ...]: the measurements one after another; without a name all of them. See bench/README.md. */
const all = ["http1", "web", "proxy", "cache", "frames", "python", "slow", "recycle", "routes", "bridge", "framework", "admin-list", "newsroom", "reload-loss"]
const asked = process.argv.slice(2)
const unknown = asked.filter(name => !all.includes(name))
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(", ")}; there are ${all.join(", ")}`)
  process.exit(2)
}
for (const name of asked.length > 0 ? asked : all) {
  console.log(`\n== ${name}`)
  const child = Bun.spawn([process.execPath, Bun.resolveSync(`./${name}`, import.meta.dir)], { stdio: ["ignore", "inherit", "inherit"] })
  if ((await child.exited) !== 0) process.exitCode = 1
}
