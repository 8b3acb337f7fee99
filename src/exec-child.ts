/**
 * `edge __exec IDENTITY COMMAND...`: becomes a user with all of their groups, then the command. Bun.spawn sets uid and gid
 * only; a worker whose user is in other groups (for its files) takes this detour of some 10 ms.
 */
import { type Identity, become } from "./supervisor/identity.ts"
import { execute, keepOnExec } from "./supervisor/libc.ts"

/** The listening socket of a frames worker (docs/worker-protocol.md). */
const SOCKET = 3

export async function run([identity = "", ...argv]: readonly string[]): Promise<number> {
  const { socket, ...who } = JSON.parse(identity) as Identity & { socket: boolean }
  become(who)
  if (socket) keepOnExec(SOCKET)
  const file = Bun.which(argv[0] ?? "")
  if (file === null) {
    console.error(`${argv[0]}: command not found`)
    return 127
  }
  return execute(file, argv, process.env)
}
