/** Objects around BackendTLSPolicies, as YAML of namespace `shop`. */

export interface PolicyYaml {
  /** Of `targetRefs`, in YAML; by default the Service `api`. */
  readonly targets?: string;
  readonly hostname?: string;
  /** Further fields of `validation`, in place of a ConfigMap `ca`. */
  readonly authorities?: string;
  readonly created?: string;
  readonly namespace?: string;
}

export function backendTlsPolicy(name: string, options: PolicyYaml = {}): string {
  const {
    created = '',
    hostname = `${name}.example.com`,
    namespace = 'shop',
    targets = tlsTarget('api'),
  } = options;
  const { authorities = 'caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]' } = options;
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: ${name}, namespace: ${namespace}, generation: 2, creationTimestamp: "${created}"}
spec: {targetRefs: [${targets}], validation: {hostname: "${hostname}", ${authorities}}}`;
}

export function tlsTarget(name: string, sectionName?: string): string {
  return `{group: "", kind: Service, name: ${name}${sectionName === undefined ? '' : `, sectionName: ${sectionName}`}}`;
}

export function caConfigMap(name: string, pem: string): string {
  return `
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}, namespace: shop}
data: {ca.crt: ${JSON.stringify(pem)}}`;
}
