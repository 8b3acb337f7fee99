/** WebDAV through the proxy: the litmus suite against Apache's mod_dav, with edge in between. */
import { expect, test } from "bun:test"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith, found } from "../kit/needs.ts"

const modules = "/usr/lib/apache2/modules"

function apacheConfig(dir: string, port: number): string {
  const wanted = ["mpm_event", "authz_core", "unixd", "dav", "dav_fs", "dav_lock"].filter(name => existsSync(`${modules}/mod_${name}.so`))
  return `ServerRoot ${dir}
PidFile ${dir}/pid
Listen 127.0.0.1:${port}
ServerName localhost
${wanted.map(name => `LoadModule ${name}_module ${modules}/mod_${name}.so`).join("\n")}
ErrorLog ${dir}/error.log
DavLockDB ${dir}/lock
DocumentRoot ${dir}/root
${process.getuid?.() === 0 ? "User www-data\nGroup www-data" : ""}
<Directory ${dir}/root>
  Dav On
  Require all granted
</Directory>
`
}

describeWith(["apache2", "litmus"], "litmus", () => {
  test("104 of 104", async () => {
    const dir = mkdtempSync(join(tmpdir(), "edge-litmus-"))
    mkdirSync(join(dir, "root"))
    mkdirSync(join(dir, "run"))
    for (const path of [dir, join(dir, "root")]) chmodSync(path, 0o777)
    const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
    const { port } = probe
    probe.stop(true)
    writeFileSync(join(dir, "apache.conf"), apacheConfig(dir, port))
    const apache = Bun.spawn([found("apache2")!, "-f", join(dir, "apache.conf"), "-DFOREGROUND"], { stdout: "ignore", stderr: "ignore" })
    try {
      await using edge = await Edge.start({
        config: `[server]\nfronts = 1\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\nproxy = "http://127.0.0.1:${port}"\n`,
      })
      await until(async () => (await fetch(edge.url("/")).then(r => r.status, () => 502)) < 500)
      const litmus = Bun.spawn([found("litmus")!, edge.url("/")], { cwd: join(dir, "run"), stdout: "pipe", stderr: "ignore" })
      const text = await new Response(litmus.stdout).text()
      await litmus.exited
      const sums = [...text.matchAll(/summary for `(\w+)': of (\d+) tests run: (\d+) passed, (\d+) failed/g)]
      expect(sums.map(([, name, run, passed, failed]) => [name, run === passed, failed])).toEqual(
        ["basic", "copymove", "props", "locks", "http"].map(name => [name, true, "0"]),
      )
      expect(sums.reduce((total, [, , , passed]) => total + Number(passed), 0)).toBe(104)
    } finally {
      apache.kill("SIGTERM")
      await apache.exited
      rmSync(dir, { recursive: true })
    }
  }, 120_000)
})
