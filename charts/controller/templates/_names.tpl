{{/* Image of every part. */}}
{{- define "controller.image" -}}
{{- with .Values.global.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "controller.name" -}}
ambient-controller
{{- end }}

{{- define "controller.selector" -}}
app.kubernetes.io/name: ambient-controller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "controller.labels" -}}
{{ include "controller.selector" . }}
app.kubernetes.io/part-of: ambient-mesh
app.kubernetes.io/component: controller
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* How waypoints are made, as the controller reads it: what is set here, and what holds for the whole mesh. */}}
{{- define "controller.waypointTemplate" -}}
{{- $mesh := dict "imagePullPolicy" .Values.global.image.pullPolicy "imagePullSecrets" .Values.global.imagePullSecrets -}}
{{ mergeOverwrite $mesh (deepCopy .Values.waypoint) | toJson }}
{{- end }}
