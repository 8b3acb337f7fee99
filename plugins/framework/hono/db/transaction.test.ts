/** Transactions: all or nothing at every depth, nothing of a stranger's, and over when they are over. */
import { AsyncLocalStorage } from "node:async_hooks"
import { Database as SqliteFile } from "bun:sqlite"
import { expect, test } from "bun:test"
import { EventEmitter } from "node:events"
import { onBoth } from "../testdata/databases.ts"
import { database, outsideTransaction, transaction } from "./database.ts"
import { NotFound, TransactionError, ValidationError } from "./errors.ts"
import { integer, text } from "./fields.ts"
import { model } from "./model.ts"

const Row = model("row", { name: text({ unique: true }), n: integer({ default: 0 }) })
const names = async () => (await Row.order("name").pluck("name")).join(" ")
const make = (name: string) => Row.create({ name })
const no = () => Promise.reject(new Error("no"))
/** A promise and its end. */
const gate = () => Promise.withResolvers<void>()

onBoth("transactions", [Row], db => {
  const sqlite = () => db().dialect === "sqlite"
  const inMemory = () => db().url.endsWith(":memory:")
  const raw = (sql: string) => (sqlite() ? database().client.run(sql) : database().client.unsafe(sql)) as unknown

  test("an inner one that fails and is caught is taken back, and the outer one goes on", async () => {
    await transaction(async () => {
      await make("outer")
      await expect(transaction(async () => { await make("inner"); await no() })).rejects.toThrow("no")
      await make("after")
    })
    expect(await names()).toBe("after outer")
  })

  test("three deep: each is all or nothing by itself", async () => {
    await transaction(async () => {
      await make("1")
      await transaction(async () => {
        await make("2")
        await transaction(async () => { await make("3"); await no() }).catch(() => {})
        await transaction(async () => void (await make("3b")))
        expect(await names()).toBe("1 2 3b")
      })
      await transaction(async () => {
        await transaction(async () => void (await make("kept by the inner, lost by the middle")))
        await no()
      }).catch(() => {})
      expect(await names()).toBe("1 2 3b")
    })
    expect(await names()).toBe("1 2 3b")
  })

  test("an inner one that was good is lost with the outer one", async () => {
    await expect(transaction(async () => { await transaction(() => make("inner")); await no() })).rejects.toThrow("no")
    expect(await names()).toBe("")
  })

  test("inner ones at the same time, with statements of the outer one between: each keeps what is its own", async () => {
    await transaction(async () => {
      const inner = (name: string, fails: boolean) => transaction(async () => { await make(`${name}1`); await Bun.sleep(2); await make(`${name}2`); if (fails) await no() }).catch(() => {})
      await Promise.all([inner("a", true), make("o1"), inner("b", false), make("o2"), inner("c", true), Row.all.count(), inner("d", false), make("o3")])
    })
    expect(await names()).toBe("b1 b2 d1 d2 o1 o2 o3")
  })

  test("a statement that the database refuses undoes the transaction it is in, on both databases alike", async () => {
    await make("there")
    let seen: unknown
    const tried = transaction(async () => {
      await make("first")
      await expect(make("there")).rejects.toThrow(ValidationError)
      seen = await Row.all.count().catch(error => error)
      await expect(make("second")).rejects.toThrow("goes into a transaction() of its own")
    })
    await expect(tried).rejects.toThrow(TransactionError)
    expect(seen).toBeInstanceOf(TransactionError)
    expect(await names()).toBe("there")
    // What may fail has one of its own.
    await transaction(async () => {
      await transaction(() => make("there")).catch(() => {})
      await make("second")
    })
    expect(await names()).toBe("second there")
    // What never reached the database undoes nothing.
    await transaction(async () => {
      await expect(Row.create({ name: 5 as never })).rejects.toThrow(ValidationError)
      await expect(Row.get(999_999)).rejects.toThrow(NotFound)
      await make("third")
    })
    expect(await names()).toBe("second there third")
  })

  test("what still runs when its transaction is over is refused, and joins no stranger's", async () => {
    const over = gate()
    const late: Promise<unknown>[] = []
    let told: boolean | undefined
    await transaction(async () => {
      await make("mine")
      const later = (f: () => unknown) => late.push(over.promise.then(f).then(() => "done", (error: Error) => error.name))
      later(() => make("late"))
      later(() => Row.createMany([{ name: "late 1" }, { name: "late 2" }]))
      later(() => Row.all.count())
      later(() => Row.all.delete())
      later(() => transaction(() => make("late, in one of its own")))
      later(() => database().onSettled(done => (told = done)))
      later(() => raw("DELETE FROM row"))
      later(() => outsideTransaction(() => Row.all.count()))
    })
    const inside = gate()
    const stranger = transaction(async () => {
      await make("stranger")
      inside.resolve()
      if (!inMemory()) await Promise.all(late)
      await no()
    }).catch(() => {})
    await inside.promise
    over.resolve()
    expect(await Promise.all(late)).toEqual([...Array(7).fill("TransactionError"), "done"])
    expect(told).toBeUndefined()
    await stranger
    expect(await names()).toBe("mine")
  })

  test("handles and clients are dead when their transaction is, at every depth", async () => {
    const kept: { read(): unknown }[] = []
    const keep = async () => {
      const { client } = database()
      kept.push({ read: () => (sqlite() ? client.query("SELECT 1").get() : client.unsafe("SELECT 1")) })
      for (const use of ["read", "write"] as const) {
        await database()[use](handle => {
          const table = database().tables.of(Row)
          kept.push({ read: () => handle.select().from(table) }, { read: () => handle.insert(table).values({ name: "leaked", n: 0 }) })
          return handle.select().from(table)
        })
      }
    }
    const dead = async () => {
      for (const { read } of kept.splice(0)) {
        const said = await (async () => read())().then(() => "answers", (error: Error) => error.cause ?? error)
        expect(said).toBeInstanceOf(TransactionError)
      }
    }
    await transaction(async () => {
      await transaction(keep)
      await dead()
      await transaction(() => keep().then(no)).catch(() => {})
      await dead()
      await keep()
      for (const { read } of kept.slice(0, 1)) expect(await read()).toBeDefined()
    })
    const stranger = transaction(async () => {
      await dead()
      await no()
    })
    await expect(stranger).rejects.toThrow("no")
    expect(await names()).toBe("")
  })

  test("the driver's client inside a transaction is the transaction's", async () => {
    await expect(transaction(async () => { await make("a"); await raw("UPDATE row SET name = 'raw'"); expect(await names()).toBe("raw"); await no() })).rejects.toThrow("no")
    expect(await names()).toBe("")
    await transaction(async () => {
      await make("a")
      await transaction(async () => { await raw("UPDATE row SET name = 'inner'"); await no() }).catch(() => {})
      await raw("UPDATE row SET n = 7")
      if (!sqlite()) await database().client`UPDATE row SET n = n + ${1}::int`
    })
    expect(await Row.all.first()).toMatchObject({ name: "a", n: sqlite() ? 7 : 8 })
  })

  test("a client that was kept from outside does not stop the event loop to wait for the transaction around it", async () => {
    if (!sqlite() || inMemory()) return
    const kept = db().client as SqliteFile
    let ticks = 0
    const ticking = setInterval(() => ticks++, 1)
    await transaction(async () => {
      await make("a")
      // It would have waited five seconds for what cannot end meanwhile.
      expect(() => kept.run("UPDATE row SET name = 'raw'")).toThrow("database is locked")
    })
    clearInterval(ticking)
    expect(kept.query("PRAGMA busy_timeout").get()).toEqual({ timeout: 5000 })
    kept.run("UPDATE row SET name = 'raw'")
    expect(await names()).toBe("raw")
  })

  test("a statement of the client that failed unseen: nothing is kept, and that is said", async () => {
    if (sqlite()) return
    const tried = transaction(async () => {
      await make("a")
      await (raw("SELECT * FROM nothing") as Promise<unknown>).catch(() => {})
    })
    await expect(tried).rejects.toThrow("nothing was kept")
    expect(await names()).toBe("")
  })

  test("an inner one that is not awaited undoes both, and says so", async () => {
    const go = gate()
    let inner: Promise<unknown> | undefined
    const tried = transaction(async () => {
      await make("outer")
      const begun = gate()
      inner = transaction(async () => { await make("inner"); begun.resolve(); await go.promise; await make("more") }).catch((error: Error) => error.name)
      await begun.promise
    })
    await expect(tried).rejects.toThrow("not awaited")
    await transaction(async () => {
      await transaction(async () => {
        await make("stranger")
        go.resolve()
        expect(await inner).toBe("TransactionError")
      })
    })
    expect(await names()).toBe("stranger")
  })

  test("onSettled tells of the end that counts: an inner one's by itself when it fails, else the outer one's", async () => {
    const told: string[] = []
    const tell = (what: string) => database().onSettled(done => told.push(`${what} ${done}`))
    tell("none")
    await transaction(async () => {
      tell("outer")
      await transaction(async () => tell("good inner"))
      await transaction(async () => { tell("bad inner"); await no() }).catch(() => {})
      expect(told).toEqual(["none true", "bad inner false"])
    })
    expect(told).toEqual(["none true", "bad inner false", "outer true", "good inner true"])
    await transaction(async () => { await transaction(async () => tell("inner")); tell("outer"); await no() }).catch(() => {})
    expect(told.slice(4)).toEqual(["inner false", "outer false"])
  })

  test("transactions of many at the same time do not mix", async () => {
    await Row.createMany([{ name: "a", n: 100 }, { name: "b", n: 100 }])
    const move = (i: number) =>
      transaction(async () => {
        const [from, to] = await Row.order("name").forUpdate()
        await Bun.sleep(i % 3)
        await Row.update(from!, { n: from!.n - 1 })
        await transaction(async () => { await Row.update(to!, { n: 0 }); await no() }).catch(() => {})
        if (i % 4 === 0) await no()
        await Row.update(to!, { n: to!.n + 1 })
      }).catch(() => {})
    await Promise.all([...Array.from({ length: 24 }, (_, i) => move(i)), ...Array.from({ length: 24 }, (_, i) => make(`x${i}`))])
    expect(await Row.where({ name: "a" }).pluck("n")).toEqual([82])
    expect(await Row.where({ name: "b" }).pluck("n")).toEqual([118])
    expect(await Row.all.count()).toBe(26)
  })

  test("through timers, streams, generators and Promise.all a statement keeps its transaction; through an emitter with bind()", async () => {
    const emitter = new EventEmitter()
    const ticking = setInterval(() => emitter.emit("tick"), 1)
    await transaction(async () => {
      await new Promise<void>(resolve => setTimeout(() => void make("timer").then(() => resolve()), 1))
      await Promise.all([make("all 1"), Bun.sleep(1).then(() => make("all 2"))])
      for await (const name of (async function* () { yield (await make("generator")).name })()) await make(`for ${name}`)
      await new Response(new ReadableStream({ async start(controller) { await make("stream"); controller.close() } })).text()
      for await (const row of Row.all.each(2)) expect(row.n).toBe(0)
      await new Promise<void>(resolve => emitter.once("tick", AsyncLocalStorage.bind(() => void make("emitter").then(() => resolve()))))
      await no()
    }).catch(error => expect(error.message).toBe("no"))
    clearInterval(ticking)
    expect(await names()).toBe("")
  })

  test("while another process writes, this one waits and its event loop runs", async () => {
    if (!sqlite() || inMemory()) return
    const script = `
      const { Database } = require("bun:sqlite")
      const db = new Database(${JSON.stringify(db().url.slice("sqlite:".length))})
      db.run("BEGIN IMMEDIATE")
      console.log("begun")
      await Bun.stdin.text()
      db.run("INSERT INTO row (name, n) VALUES ('other', 1)")
      db.run("COMMIT")`
    const hold = async (f: () => Promise<unknown>) => {
      const other = Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stdout: "pipe" })
      await other.stdout.getReader().read()
      const writing = f()
      // The other process ends its transaction when this event loop tells it to, and only then.
      await Bun.sleep(30)
      await other.stdin.end()
      await writing
      await other.exited
    }
    await hold(() => make("single"))
    await Row.where({ name: "other" }).delete()
    await hold(() => transaction(() => make("transaction")))
    expect(await names()).toBe("other single transaction")
  })
}, { memory: true })
