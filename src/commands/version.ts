import { commit, edgeVersion } from "../version.ts"

export async function run(): Promise<void> {
  console.log(`edge ${edgeVersion} (bun ${Bun.version}, commit ${commit}, ${process.platform}-${process.arch})`)
}
