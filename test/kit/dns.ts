/** A name server that says what a test wants. */
export interface NameServer {
  /** "127.0.0.1:PORT" */
  readonly address: string
  /** Name -> IPv4 addresses; or SRV places under "srv NAME" as "priority weight port host". */
  readonly names: Map<string, readonly string[]>
  questions: number
  close(): void
}

const A = 1
const SRV = 33

/** Speaks just enough of RFC 1035: one question, answers with `ttl` seconds, NXDOMAIN for what it does not know. */
export async function nameServer(ttl: number): Promise<NameServer> {
  const names = new Map<string, readonly string[]>()
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(from, bytes, port, address) {
        server.questions++
        from.send(answer(Buffer.from(bytes), { names, ttl }), port, address)
      },
    },
  })
  const server: NameServer = { address: `127.0.0.1:${socket.port}`, names, questions: 0, close: () => socket.close() }
  return server
}

function answer(question: Buffer, { names, ttl }: { names: ReadonlyMap<string, readonly string[]>; ttl: number }): Buffer {
  const labels: string[] = []
  let at = 12
  for (; question[at] !== 0; at += question[at]! + 1) labels.push(question.latin1Slice(at + 1, at + 1 + question[at]!))
  const type = question.readUInt16BE(at + 1)
  const name = labels.join(".").toLowerCase()
  const found = type === A ? names.get(name) : type === SRV ? names.get(`srv ${name}`) : []
  const records = (found ?? []).map(text => record(type, { data: type === A ? Buffer.from(text.split(".").map(Number)) : srvData(text), ttl }))
  const known = names.has(name) || names.has(`srv ${name}`)
  const head = Buffer.from([0x81, known ? 0x80 : 0x83, 0, 1, 0, records.length, 0, 0, 0, 0])
  return Buffer.concat([question.subarray(0, 2), head, question.subarray(12, at + 5), ...records])
}

function record(type: number, { data, ttl }: { data: Buffer; ttl: number }): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function srvData(text: string): Buffer {
  const [priority, weight, port, host = ""] = text.split(" ")
  const head = Buffer.alloc(6)
  for (const [i, number] of [priority, weight, port].entries()) head.writeUInt16BE(Number(number), i * 2)
  const labels = host.split(".").map(label => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([head, ...labels, Buffer.from([0])])
}
