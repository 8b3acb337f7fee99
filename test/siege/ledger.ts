/** What was sent in a siege, and what became of each of it. Every count is exact: what is in no column is lost. */
export interface Row {
  sent: number
  /** Answers, by status. */
  readonly answered: Record<number, number>
  /** Connections that the server ended without an answer. */
  refused: number
  /** Neither an answer nor an end within the time that a client waits. */
  lost: number
  /** What must never be, in words. */
  readonly wrong: string[]
}

export class Ledger {
  readonly rows = new Map<string, Row>()

  row(name: string): Row {
    const found = this.rows.get(name) ?? { sent: 0, answered: {}, refused: 0, lost: 0, wrong: [] }
    this.rows.set(name, found)
    return found
  }

  get wrong(): string[] {
    return [...this.rows].flatMap(([name, { wrong }]) => wrong.map(words => `${name}: ${words}`))
  }

  toString(): string {
    const head = ["attack", "sent", "answered", "refused", "lost", "of them"]
    const lines = [...this.rows].map(([name, { sent, answered, refused, lost }]) => {
      const of = Object.entries(answered).map(([status, n]) => `${status}: ${n}`).join(", ")
      return [name, sent, total(answered), refused, lost, of].map(String)
    })
    const widths = head.map((_, i) => Math.max(...[head, ...lines].map(line => line[i]!.length)))
    return [head, ...lines].map(line => line.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd()).join("\n")
  }
}

export function total(answered: Readonly<Record<number, number>>): number {
  return Object.values(answered).reduce((sum, n) => sum + n, 0)
}

export function count(row: Row, status: number): void {
  row.answered[status] = (row.answered[status] ?? 0) + 1
}
