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
