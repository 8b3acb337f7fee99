/** Files that the build embeds: the import gives their path. */
declare module "*.zst" {
  const path: string
  export default path
}
