/**
 * Ends the workers' process groups when the supervisor is killed with -9. Fronts see their IPC close and frames workers
 * their connection, but any other program, and what it started, would stay behind with its port. One shell for all of
 * them (1 MB; a process of our own kind would cost 40): it reads "+ GROUP" and "- GROUP", and at the end of its input,
 * which comes however we die, it ends the groups that are left and removes the folder of their sockets.
 */
const SCRIPT = `
trap '' HUP INT TERM
groups=" "
while read -r op group; do
  case $op in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%%" $group "*} \${groups#*" $group "}" ;; esac ;;
  esac
done
for group in $groups; do kill -TERM "-$group" 2>/dev/null; done
[ "$groups" = " " ] || sleep 3
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
rm -rf -- "$1"
`

export class Guard {
  #shell: Bun.Subprocess<"pipe", "ignore", "ignore"> | undefined

  /** Starts the shell; `folder` goes with us. */
  start(folder: string): void {
    try {
      const argv = ["/bin/sh", "-c", SCRIPT, "edge-guard", folder]
      this.#shell = Bun.spawn(argv, { stdio: ["pipe", "ignore", "ignore"], detached: true, cwd: "/" })
    } catch {
      // No shell (a bare container): groups then end with the container.
    }
  }

  /** A group to end with us. */
  watch(group: number): void {
    this.#tell(`+ ${group}\n`)
  }

  forget(group: number): void {
    this.#tell(`- ${group}\n`)
  }

  close(): void {
    void this.#shell?.stdin.end()
    this.#shell = undefined
  }

  #tell(line: string): void {
    void this.#shell?.stdin.write(line)
    void this.#shell?.stdin.flush()
  }
}
