import { clientAddress, serveHttp } from './http-app.ts';

/** Charges a card. Two versions of it run; they differ in the version they answer with. */
serveHttp(async request => {
  let bytes = 0;
  for await (const chunk of request) if (chunk instanceof Buffer) bytes += chunk.length;
  return { status: 200, body: { charged: true, client: clientAddress(request), bytes } };
});
