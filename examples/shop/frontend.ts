import { call, serveHttp } from './http-app.ts';

/** What a customer talks to: `/` places an order, `/payments` is what it must not be allowed to reach. */
const ORDERS = process.env['ORDERS_URL'] ?? 'http://orders.shop:8080';
const PAYMENTS = process.env['PAYMENTS_URL'] ?? 'http://payments.shop:8080';

serveHttp((request, url) => {
  if (url.pathname === '/payments') return call(PAYMENTS, '/charge', request);
  return call(ORDERS, '/order', request);
});
