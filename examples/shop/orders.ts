import { call, serveHttp } from './http-app.ts';

/** Takes an order: has it paid. */
const PAYMENTS = process.env['PAYMENTS_URL'] ?? 'http://payments.shop:8080';

serveHttp(request => call(PAYMENTS, '/charge', request));
