export const pages = {
  "/": "<h1>Home</h1><a href=/time>time</a>",
  "/time": () => `<p>${new Date().toISOString()}</p>`,
}
