{{- define "ambient.labels" -}}
app.kubernetes.io/name: ambient-mesh
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: ambient-mesh
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}
