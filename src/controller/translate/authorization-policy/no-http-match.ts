import type { HttpMatch } from '#shared/authz/policy.ts';

/** A match of every request, to put one field in. */
export const NO_HTTP_MATCH: HttpMatch = Object.freeze<HttpMatch>({
  hosts: [],
  notHosts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
  headers: [],
});
