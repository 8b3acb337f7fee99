import type { Fields, Patch, Row } from "../../db/model.ts"
import type { Query } from "../../db/query.ts"
import { transaction } from "../../db/database.ts"
import type { Access, AdminOperation } from "../model/access.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { difference, record } from "../history/change.ts"
import type { AnyRow } from "../model/staff.ts"

/** Rows at a time: one transaction each, so that a long action keeps other writers out for milliseconds only. */
const BATCH = 200

/** The rows that an action was asked for: those that were ticked, or all that a list's filters leave. */
export class Selection<F extends Fields = Fields> {
  /** Rows that were passed over because they may not be touched. */
  refused = 0

  constructor(
    readonly access: Access,
    readonly modelAdmin: ModelAdmin,
    private readonly o: { query: Query<any>; needs: AdminOperation; name: string },
  ) {}

  /** How many, counting no further than `most`; rows that a rule forbids are among them. */
  count(most: number): Promise<number> {
    return this.o.query.countUpTo(most)
  }

  /** The rows that this person may do it to, one after the other, in constant memory. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Row<F>> {
    for await (const row of this.o.query.order("id").each(BATCH) as AsyncGenerator<AnyRow>) {
      if (await this.access.may(this.modelAdmin, this.o.needs, row)) yield row as unknown as Row<F>
      else this.refused++
    }
  }

  /** The first rows, for a page that asks whether they are meant. */
  async first(most: number): Promise<Row<F>[]> {
    const found: Row<F>[] = []
    for await (const row of this) {
      found.push(row)
      if (found.length >= most) break
    }
    return found
  }

  /** Changes each row and writes it into the history; gives how many. A row that cannot be changed throws; earlier batches stay. */
  update(patch: Patch<F> | ((row: Row<F>) => Patch<F>)): Promise<number> {
    return this.each(async row => {
      const change = typeof patch === "function" ? patch(row) : patch
      return (await this.modelAdmin.model.update(row as AnyRow, change as never)) as unknown as Row<F>
    })
  }

  /** Runs `f` for each row in transactions of 200; the row that it gives back goes into the history. Gives how many. */
  async each(f: (row: Row<F>) => Promise<Row<F> | void>): Promise<number> {
    let done = 0
    let batch: Row<F>[] = []
    const flush = async () => {
      const rows = batch
      batch = []
      await transaction(async () => {
        const notes: Parameters<typeof record>[1][number][] = []
        for (const row of rows) {
          const after = await f(row)
          const changes = after === undefined ? [] : difference(this.modelAdmin, row as AnyRow, after as AnyRow)
          notes.push({ row: row as AnyRow, title: await this.access.title(this.modelAdmin.model, row as AnyRow), changes })
        }
        await record({ user: this.access.user, modelAdmin: this.modelAdmin, kind: "action", note: this.o.name }, notes)
      })
      done += rows.length
    }
    for await (const row of this) {
      batch.push(row)
      if (batch.length >= BATCH) await flush()
    }
    if (batch.length > 0) await flush()
    return done
  }
}
