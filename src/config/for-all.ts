/**
 * Runs `f` for every item, one after the other, also when it throws for some; then throws what they threw, together.
 * A part that sets up a list so has all problems of the list told, not only the first.
 */
export async function forAll<T>(items: Iterable<T>, f: (item: T) => unknown): Promise<void> {
  const thrown: unknown[] = []
  for (const item of items) {
    try {
      await f(item)
    } catch (error) {
      thrown.push(error)
    }
  }
  if (thrown.length === 1) throw thrown[0]
  if (thrown.length > 1) throw new AggregateError(thrown, "several parts of the config are wrong")
}
