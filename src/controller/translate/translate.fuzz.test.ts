import fc from 'fast-check';
import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { compileRoutes } from '#shared/route/match.ts';
import { compileStreamRules } from '#shared/route/match-stream.ts';
import { sortByPrecedence } from '#shared/route/precedence.ts';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { translateAuthorizationPolicy } from './authorization-policy/authorization-policy.ts';
import { translateServiceResolver } from './consul/service-resolver.ts';
import { translateServiceRouter } from './consul/service-router.ts';
import { translateServiceSplitter } from './consul/service-splitter.ts';
import { translateBackendTlsPolicy } from './backend-tls-policy/backend-tls-policy.ts';
import { looseTargets } from './backend-tls-policy/targets.ts';
import { translateCaBundle } from './ca-bundle/ca-bundle.ts';
import { translateBackendTrafficPolicy } from './backend-traffic-policy/backend-traffic-policy.ts';
import { translateDestinationRule } from './destination-rule/destination-rule.ts';
import type { Translated } from './diagnostic.ts';
import { kubeObject, servicesOf } from '../testing/golden-pairs.ts';
import { sortStreams } from './gateway-route/stream-rule.ts';
import { translateGrpcRoute } from './grpc-route/grpc-route.ts';
import { translateHttpRoute } from './http-route/http-route.ts';
import { translateRateLimitPolicy } from './linkerd-rate-limit/rate-limit-policy.ts';
import { translateMeshTls, translateNetworkAuthentication } from './linkerd-policy/authentication.ts';
import { translateLinkerdAuthorization } from './linkerd-policy/authorization-policy.ts';
import { refusedBy } from './linkerd-policy/client-authorization.ts';
import { translateInboundRoute } from './linkerd-policy/inbound-route.ts';
import { translateServerAuthorization } from './linkerd-policy/server-authorization.ts';
import { serverRules } from './linkerd-policy/server-rules.ts';
import { closedWhereNeverGood, translateServer } from './linkerd-policy/server.ts';
import { translatePeerAuthentication } from './peer-authentication/peer-authentication.ts';
import { translateReferenceGrant } from './reference-grant/reference-grant.ts';
import { translateRequestAuthentication } from './request-authentication/request-authentication.ts';
import { translateServiceEntry } from './service-entry/service-entry.ts';
import { translateJwtProvider } from './jwt-provider/jwt-provider.ts';
import { translateServiceIntentions } from './service-intentions/service-intentions.ts';
import { translateServiceProfile } from './service-profile/service-profile.ts';
import { translateTelemetry } from './telemetry/telemetry.ts';
import { translateTcpRoute } from './tcp-route/tcp-route.ts';
import { translateTlsRoute } from './tls-route/tls-route.ts';
import { translateVirtualService } from './virtual-service/virtual-service.ts';

const SERVICES = servicesOf({ 'shop/a': [80], 'shop/b': [80, 81] });
const PROFILE = { name: 'a.shop.svc.cluster.local' };
const CLUSTER = { clusterId: 'c', clusterDomain: 'cluster.local', trustDomain: 'td', network: '' };
const ISTIO = { services: SERVICES, clusterDomain: 'cluster.local', delegates: () => undefined };

/** Names the translations ask for, so that random objects get past the first level. */
const FIELDS =
  `parentRefs rules matches path type value filters backendRefs name kind group weight port timeouts request
  retry codes headers urlRewrite requestRedirect hosts http match uri exact prefix regex route destination host retries
  retryOn redirect rewrite directResponse status body subsets labels trafficPolicy loadBalancer action from to when source
  operation principals ipBlocks paths ports key values selector matchLabels mtls mode portLevelMtls 80 sources simple set
  add remove service method namespace sectionName fault delay abort percentage fixedDelay httpStatus mirrors corsPolicy
  allowOrigins uriRegexRewrite rewrite tls tcp sniHosts destinationSubnets delegate exportTo sourceLabels scheme authority
  consistentHash httpCookie maglev localityLbSetting distribute failoverPriority outlierDetection connectionPool http
  addresses endpoints address resolution workloadSelector number protocol
  routes condition pathRegex all any not isRetryable responseClasses isFailure min max retryBudget ttl dstOverrides
  pathExact pathPrefix header queryParam present invert ignoreCase numRetries prefixRewrite splits filter defaultSubset
  failover targets hashPolicies field fieldValue cookieConfig
  warmup jwtRules issuer jwks fromHeaders outputClaimToHeaders provider requestPrincipals remoteIpBlocks hosts
  tracing accessLogging filter expression metrics overrides tagOverrides operation customTags literal providers permissions
  podSelector matchExpressions operator total identities identityRefs networks cidr except server client meshTLS
  unauthenticated serviceAccounts requiredAuthenticationRefs accessPolicy total identity requestsPerSecond clientRefs targetRef
  validation hostname caCertificateRefs wellKnownCACertificates subjectAltNames options ca.crt
  hostnames requestMirror cors allowOrigins targetRefs retryConstraint budget toString __proto__ constructor`.split(
    /\s+/,
  );
const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    'a',
    'b',
    'Service',
    '',
    '*',
    '/a',
    '80',
    'STRICT',
    'ALLOW',
    'DENY',
    'allow',
    'Exact',
    'RegularExpression',
    '10.0.0.0/8',
  ),
  fc.constantFrom<unknown>(
    '10s',
    '5xx,503',
    'URLRewrite',
    'request.headers[x]',
    'source.ip',
    'ROUND_ROBIN',
    '(',
    'a.b*',
  ),
  fc.constantFrom<unknown>(null, true, 0, 80, -1, 1.5, Number.MAX_SAFE_INTEGER),
  fc.string({ maxLength: 5 }),
);
const { node: spec } = fc.letrec<{ node: unknown }>(tie => ({
  node: fc.oneof(
    { maxDepth: 8, depthSize: 'large' },
    leaf,
    fc.dictionary(fc.constantFrom(...FIELDS), tie('node'), { maxKeys: 5 }),
    fc.array(tie('node'), { maxLength: 3 }),
  ),
}));

function check<T>(result: Translated<T>, use: (value: T) => void): void {
  if (result.ok) use(result.value);
  else if (!result.diagnostics.some(found => found.severity === 'rejected'))
    throw new Error('rejected without a reason');
  for (const { field, value, message, fix } of result.diagnostics) {
    if (field === '' || value === '' || message === '' || fix === '') throw new Error('an empty diagnostic');
    if (value.length > 100) throw new Error('a value that is too long');
  }
}

test('whatever the object, it is translated or rejected with a reason, and what comes of it compiles', t => {
  fc.assert(
    fc.property(spec, body => {
      check(translateHttpRoute(kubeObject('HTTPRoute', body), SERVICES), ({ attachments }) => {
        for (const { rules } of attachments) compileRoutes({ rules: sortByPrecedence(rules) });
      });
      check(translateGrpcRoute(kubeObject('GRPCRoute', body), SERVICES), ({ attachments }) => {
        for (const { rules } of attachments) compileRoutes({ rules: sortByPrecedence(rules) });
      });
      check(translateTlsRoute(kubeObject('TLSRoute', body), SERVICES), ({ attachments }) => {
        for (const { streams } of attachments) compileStreamRules(sortStreams(streams));
      });
      check(translateTcpRoute(kubeObject('TCPRoute', body), SERVICES), ({ attachments }) => {
        for (const { streams } of attachments) compileStreamRules(sortStreams(streams));
      });
      check(translateBackendTrafficPolicy(kubeObject('XBackendTrafficPolicy', body)), () => undefined);
      check(translateBackendTlsPolicy(kubeObject('BackendTLSPolicy', body)), () => undefined);
      looseTargets(kubeObject('BackendTLSPolicy', body));
      check(
        translateCaBundle({ ...kubeObject('ConfigMap', undefined), body: { data: body } }),
        () => undefined,
      );
      check(translateReferenceGrant(kubeObject('ReferenceGrant', body)), () => undefined);
      check(translateVirtualService(kubeObject('VirtualService', body), ISTIO), ({ attachments }) => {
        for (const { rules } of attachments) compileRoutes({ rules });
      });
      check(translateDestinationRule(kubeObject('DestinationRule', body), ISTIO), () => undefined);
      const root = { rootNamespace: 'istio-system', trustDomain: 'cluster.local' };
      check(translateAuthorizationPolicy(kubeObject('AuthorizationPolicy', body), root), ({ full, l4 }) => {
        compile(l4 === undefined ? [full] : [full, l4]);
      });
      check(translateJwtProvider(kubeObject('JWTProvider', body)), () => undefined);
      check(translateServiceProfile(kubeObject('ServiceProfile', body, PROFILE), SERVICES), ({ rules }) => {
        compileRoutes({ rules });
      });
      check(translateServer(kubeObject('Server', body)), () => undefined);
      closedWhereNeverGood(kubeObject('Server', body));
      check(translateLinkerdAuthorization(kubeObject('AuthorizationPolicy', body)), () => undefined);
      check(translateMeshTls(kubeObject('MeshTLSAuthentication', body), CLUSTER), of => refusedBy([of]));
      check(translateNetworkAuthentication(kubeObject('NetworkAuthentication', body)), of => refusedBy([of]));
      check(translateServerAuthorization(kubeObject('ServerAuthorization', body), CLUSTER), of =>
        refusedBy(of.client),
      );
      check(translateInboundRoute(kubeObject('HTTPRoute', body)), ({ matches }) =>
        serverRules([], [{ authorizations: [], matches }]),
      );
      check(translateRateLimitPolicy(kubeObject('HTTPLocalRateLimitPolicy', body), CLUSTER), () => undefined);
      check(translateServiceRouter(kubeObject('ServiceRouter', body)), () => undefined);
      check(translateServiceSplitter(kubeObject('ServiceSplitter', body)), () => undefined);
      check(translateServiceResolver(kubeObject('ServiceResolver', body)), () => undefined);
      check(translateServiceEntry(kubeObject('ServiceEntry', body), CLUSTER), () => undefined);
      check(translateRequestAuthentication(kubeObject('RequestAuthentication', body), root), () => undefined);
      check(translatePeerAuthentication(kubeObject('PeerAuthentication', body)), () => undefined);
      check(translateServiceIntentions(kubeObject('ServiceIntentions', body)), () => undefined);
      const providers = () => 'tracing' as const;
      check(
        translateTelemetry(kubeObject('Telemetry', body), { rootNamespace: 'r', providers }),
        () => undefined,
      );
    }),
    fuzzRun(1),
  );
  t.pass();
  t.end();
});
