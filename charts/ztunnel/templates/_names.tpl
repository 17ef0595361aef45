{{/* Image of every part. */}}
{{- define "ztunnel.image" -}}
{{- with .Values.global.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "ztunnel.name" -}}
ztunnel
{{- end }}

{{- define "ztunnel.selector" -}}
app.kubernetes.io/name: ztunnel
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Of pods: where Prometheus finds their metrics, as far as it goes by annotations, and what the operator says. */}}
{{- define "ztunnel.podAnnotations" -}}
{{- $scrape := dict -}}
{{- if .Values.global.scrapeAnnotations -}}
{{- $scrape = dict "prometheus.io/scrape" "true" "prometheus.io/port" "15020" "prometheus.io/path" "/stats/prometheus" -}}
{{- end -}}
{{- with mergeOverwrite $scrape (deepCopy .Values.podAnnotations) -}}
{{ toYaml . }}
{{- end -}}
{{- end }}

{{- define "ztunnel.labels" -}}
{{ include "ztunnel.selector" . }}
app.kubernetes.io/part-of: ambient-mesh
app.kubernetes.io/component: ztunnel
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* host:port of the controller. */}}
{{- define "ztunnel.xdsAddress" -}}
{{ .Values.xdsAddress | default (printf "istiod.%s.svc:15012" .Release.Namespace) }}
{{- end }}
