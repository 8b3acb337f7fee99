/** The Latin-1 methods that Node's and Bun's Buffer have and bun-types does not name; half the price of toString("latin1"). */
interface Buffer {
  latin1Slice(start?: number, end?: number): string
  latin1Write(text: string, at?: number, length?: number): number
  utf8Write(text: string, at?: number, length?: number): number
}
