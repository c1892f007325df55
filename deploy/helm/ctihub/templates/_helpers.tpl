{{- define "ctihub.fullname" -}}
{{- if contains "ctihub" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-ctihub" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "ctihub.selector" -}}
app.kubernetes.io/name: ctihub
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ctihub.labels" -}}
{{ include "ctihub.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- define "ctihub.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "ctihub.scheme" -}}
{{ if .Values.tls.secretName }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{- define "ctihub.bootstrap" -}}
{{- if .Values.kafka.bootstrap }}{{ .Values.kafka.bootstrap }}
{{- else if .Values.strimzi.enabled }}{{ .Values.strimzi.clusterName }}-kafka-bootstrap:9093
{{- else }}{{ fail "set kafka.bootstrap, or strimzi.enabled" }}{{ end }}
{{- end }}

{{- /* Strimzi puts a user's password into a secret of the user's name, and the cluster's authority into another. */}}
{{- define "ctihub.kafkaSecret" -}}
{{- $given := .ref.name }}
{{- if $given }}{{ $given }}
{{- else if .root.Values.strimzi.enabled }}{{ .own }}
{{- else }}{{ fail (printf "set %s.name: the secret with the password of %s" .says .own) }}{{ end }}
{{- end }}

{{- define "ctihub.kafkaCa" -}}
{{- if .Values.kafka.caSecret.name }}{{ .Values.kafka.caSecret.name }}
{{- else if .Values.strimzi.enabled }}{{ .Values.strimzi.clusterName }}-cluster-ca-cert{{ end }}
{{- end }}

{{- define "ctihub.databaseSecret" -}}
{{- if .Values.database.url }}{{ include "ctihub.fullname" . }}-database{{ else }}{{ required "set database.existingSecret" .Values.database.existingSecret }}{{ end }}
{{- end }}

{{- define "ctihub.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "ctihub.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "ctihub.environment" -}}
envFrom:
  - configMapRef: { name: {{ include "ctihub.fullname" . }} }
env:
  - name: CTIHUB_DATABASE_URL
    valueFrom: { secretKeyRef: { name: {{ include "ctihub.databaseSecret" . }}, key: {{ if .Values.database.url }}url{{ else }}{{ .Values.database.key }}{{ end }} } }
  - name: CTIHUB_KAFKA_PASSWORD
    valueFrom: { secretKeyRef: { name: {{ include "ctihub.kafkaSecret" (dict "root" . "ref" .Values.kafka.passwordSecret "own" .Values.kafka.username "says" "kafka.passwordSecret") }}, key: {{ .Values.kafka.passwordSecret.key }} } }
{{- end }}

{{- /* The same with the administrator's credentials, which only the provisioning and the admin pod have. */}}
{{- define "ctihub.adminEnvironment" -}}
{{ include "ctihub.environment" . }}
  - name: CTIHUB_KAFKA_ADMIN_USERNAME
    value: {{ .Values.kafka.admin.username | quote }}
  - name: CTIHUB_KAFKA_ADMIN_PASSWORD
    valueFrom: { secretKeyRef: { name: {{ include "ctihub.kafkaSecret" (dict "root" . "ref" .Values.kafka.admin.passwordSecret "own" .Values.kafka.admin.username "says" "kafka.admin.passwordSecret") }}, key: {{ .Values.kafka.admin.passwordSecret.key }} } }
{{- end }}

{{- define "ctihub.mounts" -}}
volumeMounts:
  - { name: data, mountPath: /var/lib/ctihub }
  - { name: tmp, mountPath: /tmp }
  {{- if .Values.tls.secretName }}
  - { name: tls, mountPath: /etc/ctihub/tls, readOnly: true }
  {{- end }}
  {{- if include "ctihub.kafkaCa" . }}
  - { name: kafka-ca, mountPath: /etc/ctihub/kafka, readOnly: true }
  {{- end }}
  {{- if .Values.database.caSecret }}
  - { name: database-ca, mountPath: /etc/ctihub/database, readOnly: true }
  {{- end }}
  {{- if .Values.webhooks.caSecret.name }}
  - { name: webhooks-ca, mountPath: /etc/ctihub/webhooks, readOnly: true }
  {{- end }}
{{- end }}

{{- define "ctihub.volumes" -}}
volumes:
  - { name: data, emptyDir: { sizeLimit: 256Mi } } # what lasts is in PostgreSQL and Kafka
  - { name: tmp, emptyDir: { sizeLimit: 256Mi } }
  {{- if .Values.tls.secretName }}
  - { name: tls, secret: { secretName: {{ .Values.tls.secretName }} } }
  {{- end }}
  {{- with include "ctihub.kafkaCa" . }}
  - { name: kafka-ca, secret: { secretName: {{ . }}, items: [{ key: {{ $.Values.kafka.caSecret.key }}, path: ca.crt }] } }
  {{- end }}
  {{- if .Values.database.caSecret }}
  - { name: database-ca, secret: { secretName: {{ .Values.database.caSecret }} } }
  {{- end }}
  {{- with .Values.webhooks.caSecret }}
  {{- if .name }}
  - { name: webhooks-ca, secret: { secretName: {{ .name }}, items: [{ key: {{ .key }}, path: ca.crt }] } }
  {{- end }}
  {{- end }}
{{- end }}

{{- /* One role's deployment: (dict "root" $ "role" "worker" "of" .Values.worker "replicas" 2) */}}
{{- define "ctihub.deployment" -}}
{{- $root := .root }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "ctihub.fullname" $root }}-{{ .role }}
  labels:
    {{- include "ctihub.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  replicas: {{ .replicas }}
  {{- if eq .role "relay" }}
  strategy: { type: Recreate }
  {{- else }}
  strategy: { type: RollingUpdate, rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } }
  {{- end }}
  selector:
    matchLabels:
      {{- include "ctihub.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
  template:
    metadata:
      labels:
        {{- include "ctihub.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .role }}
      annotations:
        checksum/config: {{ include (print $root.Template.BasePath "/configmap.yaml") $root | sha256sum }}
    spec:
      enableServiceLinks: false # a service named ctihub-http would otherwise set CTIHUB_HTTP_PORT
      automountServiceAccountToken: false
      serviceAccountName: {{ include "ctihub.fullname" $root }}
      terminationGracePeriodSeconds: 30 # a process takes 10 s at most for what is in hand
      securityContext:
        {{- include "ctihub.podSecurity" $root | nindent 8 }}
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .of.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .of.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "ctihub.selector" $root | nindent 14 }}
              app.kubernetes.io/component: {{ .role }}
      containers:
        - name: {{ .role }}
          image: {{ include "ctihub.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [serve, --role, {{ .role }}]
          {{- include "ctihub.environment" $root | nindent 10 }}
          ports:
            - { name: http, containerPort: 8480, protocol: TCP }
            - { name: metrics, containerPort: 9480, protocol: TCP } # health too: it answers when the doors are full
          startupProbe:
            httpGet: { path: /healthz, port: metrics, scheme: {{ include "ctihub.scheme" $root }} }
            periodSeconds: 2
            failureThreshold: 60
          livenessProbe: # whether the process answers; a store that is away is no reason to be killed
            httpGet: { path: /healthz, port: metrics, scheme: {{ include "ctihub.scheme" $root }} }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: { path: /readyz, port: metrics, scheme: {{ include "ctihub.scheme" $root }} }
            periodSeconds: 5
            timeoutSeconds: 5
          resources:
            {{- toYaml .of.resources | nindent 12 }}
          securityContext:
            {{- include "ctihub.containerSecurity" $root | nindent 12 }}
          {{- include "ctihub.mounts" $root | nindent 10 }}
      {{- include "ctihub.volumes" $root | nindent 6 }}
{{- end }}
