import { createServer } from 'node:net';

/** The ledger speaks a protocol of its own over plain TCP: it greets first, then answers each line with its length. */
const PORT = Number(process.env['PORT'] ?? 7000);

const server = createServer({ allowHalfOpen: true }, socket => {
  socket.setNoDelay(true);
  socket.write(`ledger ready for ${socket.remoteAddress ?? 'nobody'}\n`);
  socket.on('data', chunk => socket.write(`${chunk.length}\n`));
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
});
server.listen(PORT, '::', () => console.log(`ledger listens on ${PORT}`));
process.on('SIGTERM', () => process.exit(0));
