import type { Fields, ModelBase, New, Row } from "../db/model.ts"

/** Makes rows for tests: `const post = factory(Post, n => ({ title: `Post ${n}`, author: users }))`. */
export interface Factory<F extends Fields> {
  /** One row; `values` win over the factory's. */
  (values?: Partial<New<F>>): Promise<Row<F>>
  many(count: number, values?: Partial<New<F>>): Promise<Row<F>[]>
}

/** `make` gets a number that counts up; a value may be a promise, or another factory, which is then asked for a row. */
export function factory<F extends Fields>(model: ModelBase<F>, make: (n: number) => { [K in keyof New<F>]?: unknown }): Factory<F> {
  let n = 0
  const one = async (values: Partial<New<F>> = {}): Promise<Row<F>> => {
    const whole: Record<string, unknown> = { ...make(++n), ...values }
    for (const [key, value] of Object.entries(whole)) whole[key] = await (typeof value === "function" ? (value as () => unknown)() : value)
    return model.create(whole as New<F>)
  }
  return Object.assign(one, {
    many: async (count: number, values: Partial<New<F>> = {}) => {
      const rows: Row<F>[] = []
      for (let i = 0; i < count; i++) rows.push(await one(values))
      return rows
    },
  })
}
