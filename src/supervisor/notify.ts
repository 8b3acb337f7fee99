/** Tells systemd how we are (sd_notify(3)): Type=notify and notify-reload, and the watchdog. Without NOTIFY_SOCKET nothing. */
import type { Logger } from "../log/logger.ts"
import { datagramSocket, sendDatagram } from "../system/libc.ts"

type Env = Readonly<Record<string, string | undefined>>

export class Notify {
  readonly #socket: string | undefined
  readonly #log: Logger
  /** Opened once: out of descriptors the watchdog must still be told that we live. */
  #fd: number | undefined
  #watchdog: ReturnType<typeof setInterval> | undefined

  constructor(env: Env, log: Logger) {
    this.#socket = env.NOTIFY_SOCKET === "" ? undefined : env.NOTIFY_SOCKET
    this.#log = log
    const watchdogMs = this.#socket === undefined ? 0 : watchdogOf(env)
    // Half of it, as sd_watchdog_enabled(3) asks for. From the event loop: one that hangs must miss it.
    if (watchdogMs > 0) this.#watchdog = setInterval(() => this.#send("WATCHDOG=1"), watchdogMs / 2)
  }

  ready(status: string): void {
    this.#send(`READY=1\nSTATUS=${status}`)
  }

  reloading(): void {
    // By CLOCK_MONOTONIC, which notify-reload compares with the time of its signal.
    const usec = process.hrtime.bigint() / 1000n
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${usec}\nSTATUS=reloading`)
  }

  /** `maxMs`: how long it may take; systemd waits as long. */
  stopping(maxMs: number): void {
    clearInterval(this.#watchdog)
    this.#send(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${Math.ceil(maxMs) * 1000}\nSTATUS=stopping`)
  }

  /** Another process goes on in our place: our own end is not the end of the service. */
  replacedBy(pid: number): void {
    clearInterval(this.#watchdog)
    this.#send(`MAINPID=${pid}\nSTATUS=replaced by ${pid}`)
  }

  #send(text: string): void {
    if (this.#socket === undefined) return
    try {
      sendDatagram((this.#fd ??= datagramSocket()), this.#socket, text)
    } catch (error) {
      this.#log.warn("systemd cannot be told", { error: String(error), socket: this.#socket })
    }
  }
}

/** Milliseconds; 0 when no watchdog is asked for, or for another process. A successor (USR2) still has its predecessor's pid there. */
function watchdogOf(env: Env): number {
  const usec = Number(env.WATCHDOG_USEC ?? 0)
  const ours = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(process.pid) || env.EDGE_HANDOVER !== undefined
  return ours && usec > 0 ? usec / 1000 : 0
}
