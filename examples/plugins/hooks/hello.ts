export default { fetch: () => new Response(`hello from ${process.pid}\n`) }
