import { writeFileSync } from "node:fs"
import { join } from "node:path"

/** Writes an nginx.conf of one worker without an access log; returns its path. Started as root it stays root, to read the folder. */
export function nginxConfig(folder: string, { name, http }: { name: string; http: string }): string {
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(p => `${p}_temp_path ${folder}/${p};`).join(" ")
  const file = join(folder, `${name}.conf`)
  writeFileSync(
    file,
    `${process.getuid?.() === 0 ? "user root;" : ""} worker_processes 1; worker_rlimit_nofile 30000; daemon off; pid ${folder}/${name}.pid;
     error_log ${folder}/${name}.log error; events { worker_connections 20000; }
     http { access_log off; sendfile on; keepalive_requests 100000000; keepalive_timeout 3600; ${temp} ${http} }`,
  )
  return file
}
