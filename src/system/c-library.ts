/** What the C library is called: on macOS; on Linux glibc, then musl under its usual names. */
export function libraryNames(): string[] {
  if (process.platform === "darwin") return ["libSystem.B.dylib"]
  const arch = process.arch === "arm64" ? "aarch64" : "x86_64"
  return ["libc.so.6", `libc.musl-${arch}.so.1`, `/lib/ld-musl-${arch}.so.1`, "libc.so"]
}
