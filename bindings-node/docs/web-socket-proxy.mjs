// A proxy for browsers: `npm install ws`, then `node web-socket-proxy.mjs mail.example.com:587`. It lets anybody who reaches it connect
// to the servers named here, and nowhere else; put what knows your users in front of it.
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { WebSocketServer } from 'ws'

const servers = new Set(process.argv.slice(2))
const proxy = new WebSocketServer({ port: Number(process.env.PORT ?? 8025), host: process.env.HOST ?? '127.0.0.1' })

proxy.on('connection', (browser, request) => {
  const { searchParams } = new URL(request.url, 'ws://proxy')
  const [host, port] = [searchParams.get('host'), Number(searchParams.get('port'))]
  if (!servers.has(`${host}:${port}`)) return browser.close(4003, 'not that server')
  const fail = (error) => browser.close(4000, error.message.slice(0, 100))
  const listen = (socket) => socket.on('data', (bytes) => browser.send(bytes)).on('end', () => browser.close()).on('error', fail)
  let socket = listen(connect({ host, port, noDelay: true }))
  browser.on('message', (data, isBinary) => {
    if (isBinary) return socket.write(data)
    socket.removeAllListeners('data').removeAllListeners('end')
    const servername = data.toString().slice('tls '.length)
    socket = connectTls({ socket, servername }, () => browser.send('tls'))
    listen(socket)
  })
  browser.on('close', () => socket.destroy())
})

proxy.on('listening', () => console.log(`ws://127.0.0.1:${proxy.address().port}/`))
