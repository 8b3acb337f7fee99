import { drizzle } from "drizzle-orm/bun-sql"
import type { Backend, Connection, QueryLogger } from "./connection.ts"

export function postgresBackend(url: string, logger: QueryLogger): Backend {
  const client = new Bun.SQL(url)
  const main = drizzle({ client, logger })
  return {
    main,
    client,
    write: async f => f(main),
    transaction: async f => {
      const reserved = await client.reserve()
      const connection: Connection = {
        client: reserved,
        run: async sql => String((await reserved.unsafe(sql)).command),
        drizzle: guarded => drizzle({ client: guarded as Bun.SQL, logger }),
        release: async () => reserved.release(),
      }
      try {
        await connection.run("BEGIN")
        return await f(connection)
      } finally {
        await connection.release()
      }
    },
    close: () => client.close(),
  }
}
