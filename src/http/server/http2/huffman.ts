/** Bits of the code of each octet and of EOS (RFC 7541, B), in base 36. The code is canonical: the lengths say all of it. */
const lengths =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f56565666577666567655677777fb" +
  "edskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu"

const EOS = 256
/** Next node for each node and bit; what is below 0 is the octet -1 - n. */
const tree: [number, number][] = [[0, 0]]

let code = 0
let before = 0
for (const { symbol, bits } of Array.from(lengths, (digit, symbol) => ({ symbol, bits: Number.parseInt(digit, 36) })).toSorted((a, b) => a.bits - b.bits || a.symbol - b.symbol)) {
  code = before === 0 ? 0 : (code + 1) * 2 ** (bits - before)
  before = bits
  let node = 0
  for (let bit = bits - 1; bit >= 0; bit--) {
    const side = Math.floor(code / 2 ** bit) % 2
    if (bit === 0) tree[node]![side] = -1 - symbol
    else {
      if (tree[node]![side] === 0) tree[node]![side] = tree.push([0, 0]) - 1
      node = tree[node]![side]!
    }
  }
}

/** For each node and four bits: the node they lead to, and from bit 9 on 1 + the octet that ends on the way (none is shorter than five). */
const steps = new Int32Array(tree.length * 16)
for (let start = 0; start < tree.length; start++) {
  for (let four = 0; four < 16; four++) {
    let node = start
    let octet = 0
    for (let bit = 3; bit >= 0; bit--) {
      node = tree[node]![(four >> bit) & 1]!
      if (node >= 0) continue
      octet = -node
      node = 0
    }
    steps[start * 16 + four] = node | (octet << 9)
  }
}

/** Where a text may end: behind ones that are the beginning of EOS and fewer than eight (RFC 7541, 5.2). */
const mayEnd = new Uint8Array(tree.length)
for (let node = 0, ones = 0; ones < 8; ones++, node = tree[node]![1]!) mayEnd[node] = 1

/** Writes the text of `from` to `to` into `out` at `at`; returns where it ends there, or -1 when it is none. */
export function decodeHuffman(bytes: Uint8Array, { from, to, out, at }: { from: number; to: number; out: Uint8Array; at: number }): number {
  let node = 0
  let end = at
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!
    for (let shift = 4; shift >= 0; shift -= 4) {
      const step = steps[node * 16 + ((byte >> shift) & 15)]!
      node = step & 511
      const octet = step >> 9
      if (octet === 0) continue
      if (octet > EOS) return -1
      out[end++] = octet - 1
    }
  }
  return mayEnd[node] === 1 ? end : -1
}
