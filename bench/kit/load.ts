/** wrk against a server, and rounds in which the servers take turns, so that a noisy machine is noisy for all. */
import { clientCore, cpuMicros, family } from "./processes.ts"

export interface Subject {
  readonly name: string
  readonly pid: number
  readonly url: string
}

export interface Figures {
  /** Requests per second. */
  readonly rate: number
  /** Microseconds of CPU per request, of all processes of the server. */
  readonly cpuUs: number
}

export interface LoadOptions {
  readonly seconds: number
  readonly connections: number
  /** Header lines. */
  readonly head?: readonly string[]
  /** A file for wrk -s. */
  readonly script?: string
}

export async function load(subject: Subject, { seconds, connections, head = [], script }: LoadOptions): Promise<Figures> {
  const pids = family(subject.pid)
  const before = cpuMicros(pids)
  const flags = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "20s", ...head.flatMap(line => ["-H", line]), ...(script === undefined ? [] : ["-s", script])]
  const wrk = Bun.spawn(["taskset", "-c", String(clientCore), "wrk", ...flags, subject.url], { stdout: "pipe" })
  const text = await new Response(wrk.stdout).text()
  const cpu = cpuMicros(pids) - before
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(`${subject.name} ${subject.url}: ${text}`)
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]), cpuUs: cpu / Number(/(\d+) requests in/.exec(text)?.[1]) }
}

export function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[list.length >> 1]!
}

/**
 * The first subject is ours. Prints one line for each peer: the median of the rounds' ratios of requests per second, and
 * of CPU per request (below 1: we take less).
 */
export async function compare(work: string, subjects: readonly Subject[], { rounds, ...options }: LoadOptions & { readonly rounds: number }): Promise<void> {
  const seen = new Map(subjects.map(subject => [subject, [] as Figures[]]))
  // Ours takes some ten thousand requests until all of it is compiled.
  for (const subject of subjects) await load(subject, { ...options, seconds: subject === subjects[0] ? 5 : 1 })
  for (let i = 0; i < rounds; i++) for (const subject of subjects) seen.get(subject)!.push(await load(subject, options))
  const [ours, ...peers] = subjects
  const mine = seen.get(ours!)!
  for (const peer of peers) {
    const theirs = seen.get(peer)!
    const rate = median(mine.map((figures, i) => figures.rate / theirs[i]!.rate))
    const cpu = median(mine.map((figures, i) => figures.cpuUs / theirs[i]!.cpuUs))
    const us = (list: readonly Figures[]): string => median(list.map(f => f.cpuUs)).toFixed(1)
    console.log(`| ${work} | ${peer.name} | ${rate.toFixed(2)} | ${cpu.toFixed(2)} (${us(mine)} / ${us(theirs)} us) |`)
  }
}
