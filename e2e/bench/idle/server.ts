/** Says one byte to whoever connects, and then nothing: `node server.ts IP PORT`. */
import { createServer } from 'node:net';

const [ip = '', port = ''] = process.argv.slice(2);
createServer(socket => {
  socket.on('error', () => socket.destroy());
  socket.write('.');
  socket.resume();
}).listen({ host: ip, port: Number(port), backlog: 4096 });
