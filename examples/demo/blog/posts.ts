export interface Post {
  readonly id: number
  readonly title: string
  readonly teaser: string
  readonly body: string
}

export const posts: readonly Post[] = [
  {
    id: 1,
    title: "One file on a server",
    teaser: "What used to be nginx, gunicorn and a process manager.",
    body: "Copy the executable, write a site.toml, start it. Static files, proxies, TypeScript and Python apps share one port.",
  },
  {
    id: 2,
    title: "Reload without losing anyone",
    teaser: "Edit this text, run dist/edge reload --config examples/demo/site.toml, and watch it change.",
    body: "New fronts start beside the old ones. Only when every one of them is ready do the old ones stop accepting. Should anything fail, nothing changes.",
  },
  {
    id: 3,
    title: "Three layers, each can be swapped",
    teaser: "Web, gateway and framework are plugins behind small interfaces.",
    body: "The parts that ship with edge use the same interface as yours: definePlugin, a valibot schema and a setup function.",
  },
]
