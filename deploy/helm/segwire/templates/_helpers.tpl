{{- define "segwire.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* A component's name: RELEASE-COMPONENT, as Kubernetes takes it. Arguments: root, component. */}}
{{- define "segwire.component" -}}
{{- printf "%s-%s" (include "segwire.name" .root) (regexReplaceAll "[^a-z0-9-]" .component "-") | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "segwire.selector" -}}
app.kubernetes.io/name: segwire
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "segwire.labels" -}}
{{ include "segwire.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "segwire.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "segwire.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "segwire.name" .) -}}
{{- end }}

{{- define "segwire.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "segwire.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Secret of a component's Kafka user. Arguments: root, user (as in kafka.userSecrets), component. */}}
{{- define "segwire.userSecret" -}}
{{- index .root.Values.kafka.userSecrets .user | default (include "segwire.component" (dict "root" .root "component" (kebabcase .user))) -}}
{{- end }}

{{/* What every service is told of Kafka. Arguments: root, user. */}}
{{- define "segwire.kafkaEnv" -}}
{{- $kafka := .root.Values.kafka -}}
- {name: SEGWIRE_KAFKA__BOOTSTRAP_SERVERS, value: {{ required "kafka.bootstrapServers: name your brokers, HOST:PORT[,HOST:PORT…]" $kafka.bootstrapServers | quote }}}
{{- if $kafka.caSecret }}
- {name: SEGWIRE_KAFKA__PROPERTIES__ssl.ca.location, value: /etc/segwire/kafka-ca/ca.crt}
{{- end }}
{{- if eq $kafka.authentication "scram-sha-512" }}
- {name: SEGWIRE_KAFKA__PROPERTIES__security.protocol, value: {{ ternary "SASL_SSL" "SASL_PLAINTEXT" (ne $kafka.caSecret "") }}}
- {name: SEGWIRE_KAFKA__PROPERTIES__sasl.mechanism, value: SCRAM-SHA-512}
- {name: SEGWIRE_KAFKA__PROPERTIES__sasl.username, value: {{ include "segwire.userSecret" . }}}
- name: SEGWIRE_KAFKA__PROPERTIES__sasl.password
  valueFrom: {secretKeyRef: {name: {{ include "segwire.userSecret" . }}, key: password}}
{{- else if eq $kafka.authentication "tls" }}
- {name: SEGWIRE_KAFKA__PROPERTIES__security.protocol, value: SSL}
- {name: SEGWIRE_KAFKA__PROPERTIES__ssl.certificate.location, value: /etc/segwire/kafka-user/user.crt}
- {name: SEGWIRE_KAFKA__PROPERTIES__ssl.key.location, value: /etc/segwire/kafka-user/user.key}
{{- else if $kafka.caSecret }}
- {name: SEGWIRE_KAFKA__PROPERTIES__security.protocol, value: SSL}
{{- end }}
{{- end }}

{{/* Arguments: root, user, secrets. */}}
{{- define "segwire.mounts" -}}
- {name: config, mountPath: /etc/segwire/segwire.yaml, subPath: segwire.yaml, readOnly: true}
- {name: data, mountPath: /var/lib/segwire}
- {name: tmp, mountPath: /tmp}
{{- if .root.Values.kafka.caSecret }}
- {name: kafka-ca, mountPath: /etc/segwire/kafka-ca, readOnly: true}
{{- end }}
{{- if eq .root.Values.kafka.authentication "tls" }}
- {name: kafka-user, mountPath: /etc/segwire/kafka-user, readOnly: true}
{{- end }}
{{- range .secrets }}
- {name: {{ printf "secret-%s" . | trunc 63 }}, mountPath: /etc/segwire/secrets/{{ . }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "segwire.volumes" -}}
- {name: config, configMap: {name: {{ include "segwire.name" .root }}}}
- {name: tmp, emptyDir: {sizeLimit: 64Mi}}
{{- if .root.Values.kafka.caSecret }}
- {name: kafka-ca, secret: {secretName: {{ .root.Values.kafka.caSecret }}}}
{{- end }}
{{- if eq .root.Values.kafka.authentication "tls" }}
- {name: kafka-user, secret: {secretName: {{ include "segwire.userSecret" . }}, defaultMode: 0440}}
{{- end }}
{{- range .secrets }}
- {name: {{ printf "secret-%s" . | trunc 63 }}, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- end }}

{{/* Where pods go. Arguments: root, component, values. */}}
{{- define "segwire.placement" -}}
{{- if .values.topologySpread }}
topologySpreadConstraints:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "segwire.selector" $ | nindent 8 }}
{{- end }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "segwire.podMetadata" -}}
labels:
  {{- include "segwire.labels" . | nindent 2 }}
  {{- with .root.Values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
annotations:
  checksum/config: {{ toYaml .root.Values.config | sha256sum }}
  {{- with .root.Values.podAnnotations }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}

{{/* What all pods have. */}}
{{- define "segwire.pod" -}}
serviceAccountName: {{ include "segwire.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "segwire.podSecurity" . | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "segwire.placement" . }}
{{- end }}

{{/*
A processor or sink: a StatefulSet, as each replica's transactional ID is its ordinal, and two with the same fence each
other. Arguments: root, component, user, values, args, ordinal (the variable's name), port, secrets, startupMinutes.
*/}}
{{- define "segwire.processor" -}}
{{- $name := include "segwire.component" . -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels: {{- include "segwire.labels" . | nindent 4 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{- include "segwire.selector" . | nindent 4 }}
  ports: [{name: management, port: {{ .port }}, targetPort: management}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ $name }}
  labels: {{- include "segwire.labels" . | nindent 4 }}
spec:
  serviceName: {{ $name }}
  {{- if not .values.autoscaling.enabled }}
  replicas: {{ .values.replicas }}
  {{- end }}
  podManagementPolicy: Parallel
  selector:
    matchLabels: {{- include "segwire.selector" . | nindent 6 }}
  template:
    metadata: {{- include "segwire.podMetadata" . | nindent 6 }}
    spec:
      {{- include "segwire.pod" . | nindent 6 }}
      terminationGracePeriodSeconds: 45
      containers:
        - name: segwire
          image: {{ include "segwire.image" .root }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: {{ concat .args (list "--config" "/etc/segwire/segwire.yaml" "--data-dir" "/var/lib/segwire") | toJson }}
          env:
            {{- include "segwire.kafkaEnv" . | nindent 12 }}
            - {name: SEGWIRE_MANAGEMENT__HOST, value: "0.0.0.0"}
            - name: {{ .ordinal }}
              valueFrom: {fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}}
          ports: [{name: management, containerPort: {{ .port }}}]
          startupProbe: {httpGet: {path: /livez, port: management}, periodSeconds: 5, failureThreshold: {{ mul 12 .startupMinutes }}}
          livenessProbe: {httpGet: {path: /livez, port: management}, periodSeconds: 10, failureThreshold: 3}
          readinessProbe: {httpGet: {path: /readyz, port: management}, periodSeconds: 5}
          resources: {{- toYaml .values.resources | nindent 12 }}
          securityContext: {{- include "segwire.containerSecurity" . | nindent 12 }}
          volumeMounts: {{- include "segwire.mounts" . | nindent 12 }}
      volumes:
        {{- include "segwire.volumes" . | nindent 8 }}
        {{- if not .values.state }}
        - {name: data, emptyDir: {sizeLimit: 64Mi}}
        {{- end }}
  {{- with .values.state }}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Retain}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ .size }}}}
  {{- end }}
{{- if .values.autoscaling.enabled }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ $name }}
  labels: {{- include "segwire.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: {{ $name }}}
  minReplicaCount: {{ .values.replicas }}
  maxReplicaCount: {{ .values.autoscaling.maxReplicas }}
  cooldownPeriod: 900
  triggers:
    - type: kafka
      metadata:
        bootstrapServers: {{ .root.Values.kafka.bootstrapServers | quote }}
        consumerGroup: {{ .group | quote }}
        topic: {{ .topic | quote }}
        lagThreshold: {{ .values.autoscaling.lagRecords | quote }}
        {{- if .root.Values.kafka.caSecret }}
        tls: enable
        {{- end }}
        {{- if eq .root.Values.kafka.authentication "scram-sha-512" }}
        sasl: scram_sha512
        {{- end }}
      {{- if or .root.Values.kafka.caSecret (ne .root.Values.kafka.authentication "none") }}
      authenticationRef: {name: {{ $name }}}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: {{ $name }}
  labels: {{- include "segwire.labels" . | nindent 4 }}
spec:
  secretTargetRef:
    {{- with .root.Values.kafka.caSecret }}
    - {parameter: ca, name: {{ . }}, key: ca.crt}
    {{- end }}
    {{- if eq .root.Values.kafka.authentication "tls" }}
    - {parameter: cert, name: {{ include "segwire.userSecret" . }}, key: user.crt}
    - {parameter: key, name: {{ include "segwire.userSecret" . }}, key: user.key}
    {{- else if eq .root.Values.kafka.authentication "scram-sha-512" }}
    - {parameter: username, name: {{ $name }}-keda, key: username}
    - {parameter: password, name: {{ include "segwire.userSecret" . }}, key: password}
---
# KEDA takes the user's name from a Secret alone; it is none.
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name }}-keda
  labels: {{- include "segwire.labels" . | nindent 4 }}
stringData: {username: {{ include "segwire.userSecret" . }}}
    {{- end }}
      {{- end }}
{{- end }}
{{- if .root.Values.podDisruptionBudgets }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels: {{- include "segwire.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "segwire.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{- define "segwire.prefix" -}}
{{- dig "kafka" "topic_prefix" "" .Values.config -}}
{{- end }}
