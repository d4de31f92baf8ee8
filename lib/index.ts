export { Classifier } from './classifier.js';
export type { Calibration, CalibrationMetrics, Evaluated, TunedThreshold } from './classify/measure.js';
export type { ClassifierOptions, LearnOptions, PredictOptions, ReadOptions, SaveOptions, ThresholdOptions, Windows } from './classify/options.js';
export type { Lengths } from './data/check/lengths.js';
export type { CheckedData, DataReport, Finding, FindingCode, Repairs, Severity } from './data/check/report.js';
export type { Example } from './data/check/tally.js';
export type { Label, Row } from './data/row.js';
export type { SplitOptions } from './data/split.js';
export { type CheckOptions, type DataInput, Dataset, type DatasetOptions, type DatasetStats } from './dataset.js';
export { AbortError, ConfigError, DataError, DistiltuneError, ModelError, RuntimeUnavailableError, TrainingError } from './errors.js';
export type { Learned } from './learn.js';
export type { MultiLabelPrediction, Prediction, PredictionOf, RankedLabel, RegressionPrediction, TextExtent } from './model/answer.js';
export type { ProblemType } from './model/config.js';
export type { TrainerConfig } from './options.js';
export type { ThresholdMetric } from './report/calibration.js';
export type { ComputeMetrics, EvaluationRows } from './report/custom-metrics.js';
export { configure } from './runtime/libtorch.js';
export type { RaggedEncoding } from './runtime/native.js';
export { type DecodeOptions, type EncodeBatchOptions, type EncodeOptions, type Encoding, Tokenizer } from './tokenizer.js';
export type { EarlyStopping } from './train/best.js';
export type { TrainerCallback, TrainerControl } from './train/callbacks.js';
export type {
	Averages,
	ClassMetrics,
	Evaluation,
	LabelMetrics,
	LogEntry,
	Metrics,
	MetricsOf,
	MultiLabelMetrics,
	RegressionMetrics,
	Timings,
	TrainerEvent,
} from './train/events.js';
export type { RunFinding, RunFindingCode } from './train/finding.js';
export type { RunRecord } from './train/record.js';
export { type FitOptions, Trainer, type TrainerRun, type TrainerState, type TrainResult } from './trainer.js';
