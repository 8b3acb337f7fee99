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

/** A shell that somebody killed (out of memory) is started again after this. */
const AGAIN_MS = 1000

export class Guard {
  #shell: Bun.Subprocess<"pipe", "ignore", "ignore"> | undefined
  #folder: string | undefined
  /** For the next shell. */
  readonly #groups = new Set<number>()

  /** Starts the shell; `folder` goes with us. */
  start(folder: string): void {
    this.#folder = folder
    try {
      const argv = ["/bin/sh", "-c", SCRIPT, "edge-guard", folder]
      const shell = Bun.spawn(argv, { stdio: ["pipe", "ignore", "ignore"], detached: true, cwd: "/" })
      this.#shell = shell
      for (const group of this.#groups) this.#tell(`+ ${group}\n`)
      void shell.exited.then(() => this.#ended(shell))
    } catch (error) {
      // No shell (a bare container): groups then end with the container. No descriptors or memory: that may pass.
      if ((error as { code?: string }).code !== "ENOENT") this.#startLater()
    }
  }

  /** A group to end with us. */
  watch(group: number): void {
    this.#groups.add(group)
    this.#tell(`+ ${group}\n`)
  }

  forget(group: number): void {
    this.#groups.delete(group)
    this.#tell(`- ${group}\n`)
  }

  close(): void {
    this.#folder = undefined
    const shell = this.#shell
    this.#shell = undefined
    void shell?.stdin.end()
  }

  #ended(shell: Bun.Subprocess): void {
    if (this.#shell !== shell) return
    this.#shell = undefined
    this.#startLater()
  }

  #startLater(): void {
    setTimeout(() => {
      if (this.#folder !== undefined && this.#shell === undefined) this.start(this.#folder)
    }, AGAIN_MS)
  }

  #tell(line: string): void {
    try {
      void this.#shell?.stdin.write(line)
      void this.#shell?.stdin.flush()
    } catch {
      // It was killed; the next one is told of every group.
    }
  }
}
