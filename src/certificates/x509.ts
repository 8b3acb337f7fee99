/** @peculiar/x509, which wants its polyfill before it. Loaded by what makes certificates alone: 9 ms and 230 kB. */
// oxlint-disable-next-line no-unassigned-import -- it is a polyfill
import "reflect-metadata"

export * from "@peculiar/x509"
