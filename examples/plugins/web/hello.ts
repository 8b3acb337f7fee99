export default { fetch: (request: Request) => new Response(`hello from ${new URL(request.url).pathname}\n`) }
