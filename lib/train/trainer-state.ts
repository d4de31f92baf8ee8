/** trainer_state.json as Transformers 5.23 writes it (trainer_callback.py, TrainerState; trainer.py, log and speed_metrics). */
import type { Evaluation, LogEntry, Metrics, Timings } from './events.js';
import type { Plan } from './plan.js';
import { floatText, roundTo } from './python-number.js';

export interface StateOptions {
	readonly compat: '5' | '4.18';
	readonly perDeviceTrainBatchSize: number;
	readonly perDeviceEvalBatchSize: number;
	readonly gradientAccumulationSteps: number;
	readonly numTrainEpochs: number;
	readonly maxSteps: number;
	readonly loggingSteps: number;
	readonly evalStrategy: 'epoch' | 'steps' | 'no';
	readonly evalSteps: number;
	readonly saveSteps: number;
}

/** What happened, in order. */
export type StateEntry = ({ readonly type: 'log' } & LogEntry) | ({ readonly type: 'evaluate' } & Evaluation);

export interface StateOf {
	readonly options: StateOptions;
	readonly plan: Plan;
	/** Rows of an epoch. */
	readonly rows: number;
	readonly entries: readonly StateEntry[];
	readonly step: number;
	readonly epoch: number;
	/** Tokens so far, each batch padded to its longest row. */
	readonly paddedTokens: number;
	/** Of the model, its embedding tables left out. */
	readonly parameters: number;
	/** The evaluation that was the best so far, where the run goes by a metric; its checkpoint is null where it has none. */
	readonly best?: { readonly value: number; readonly step: number; readonly checkpoint: string | null } | null;
	/** Given once the run has come to its end. */
	readonly end?: { readonly loss: number; readonly timings: Timings };
}

/** A field in Python's type: ints stay ints, floats are written with a point. */
type Field = string | boolean | null | Float | Int | readonly Field[] | { readonly [key: string]: Field };
class Int {
	constructor(readonly value: number) {}
}
class Float {
	constructor(readonly value: number) {}
}

export function trainerStateText({ options, plan, rows, entries, step, epoch, paddedTokens, parameters, best, end }: StateOf): string {
	const flos = 6 * paddedTokens * parameters; // modeling_utils.py, floating_point_ops
	const history: Field[] = entries.map((entry) => (entry.type === 'log' ? logFields(entry, options) : evaluationFields(entry, options)));
	if (end !== undefined) {
		const seconds = end.timings.trainSeconds;
		const seen = options.maxSteps > 0 ? options.maxSteps * rowsPerStep(options) : rows * options.numTrainEpochs;
		history.push({
			epoch: new Float(epochOf(epoch, options)),
			step: new Int(step),
			total_flos: new Float(flos),
			train_loss: new Float(end.loss),
			train_runtime: new Float(roundTo(seconds, 4)),
			train_samples_per_second: new Float(roundTo(seen / seconds, 3)),
			train_steps_per_second: new Float(roundTo(plan.totalSteps / seconds, 3)),
		});
	}
	return `${text({
		best_global_step: best ? new Int(best.step) : null,
		best_metric: best ? new Float(best.value) : null,
		best_model_checkpoint: best?.checkpoint ?? null,
		epoch: new Float(epoch),
		// TrainerState's own default stands where no strategy asks for steps.
		eval_steps: new Int(options.evalStrategy === 'steps' ? options.evalSteps : 500),
		global_step: new Int(step),
		is_hyper_param_search: false,
		is_local_process_zero: true,
		is_world_process_zero: true,
		log_history: history,
		logging_steps: new Int(options.loggingSteps),
		max_steps: new Int(plan.totalSteps),
		num_input_tokens_seen: new Int(0),
		num_train_epochs: new Int(plan.epochs),
		save_steps: new Int(options.saveSteps),
		stateful_callbacks: {
			TrainerControl: {
				args: {
					should_epoch_stop: false,
					should_evaluate: false,
					should_log: false,
					should_save: false,
					should_training_stop: false,
				},
				attributes: {},
			},
		},
		total_flos: new Float(flos),
		train_batch_size: new Int(options.perDeviceTrainBatchSize),
		trial_name: null,
		trial_params: null,
	})}\n`;
}

const rowsPerStep = (options: StateOptions) => options.perDeviceTrainBatchSize * options.gradientAccumulationSteps;
const epochOf = (epoch: number, { compat }: StateOptions) => (compat === '5' ? epoch : roundTo(epoch, 2));

function logFields({ step, epoch, loss, gradNorm, learningRate }: LogEntry, { compat }: StateOptions): Field {
	return {
		epoch: new Float(epoch),
		...(compat === '5' ? { grad_norm: new Float(gradNorm) } : {}),
		learning_rate: new Float(learningRate),
		loss: new Float(loss),
		step: new Int(step),
	};
}

function evaluationFields({ step, epoch, metrics, rows, seconds }: Evaluation, options: StateOptions): Field {
	const batches = Math.ceil(rows / options.perDeviceEvalBatchSize);
	return {
		...metricFields(metrics),
		epoch: new Float(epochOf(epoch, options)),
		eval_runtime: new Float(roundTo(seconds, 4)),
		eval_samples_per_second: new Float(roundTo(rows / seconds, 3)),
		eval_steps_per_second: new Float(roundTo(batches / seconds, 3)),
		step: new Int(step),
	};
}

/** Every metric that is one number: eval_loss, eval_accuracy, ... */
function metricFields(metrics: Metrics): Record<string, Field> {
	const numbers = Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
	return Object.fromEntries(numbers.map(([name, value]) => [`eval_${snakeCase(name)}`, new Float(value)]));
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** json.dumps(value, indent=2, sort_keys=True): no dictionary here keeps another order. */
function text(value: Field, indent = ''): string {
	if (value instanceof Int) return String(value.value);
	if (value instanceof Float) return floatText(value.value);
	if (value === null || typeof value !== 'object') return JSON.stringify(value);
	const inner = `${indent}  `;
	const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
	const items = Array.isArray(value)
		? value.map((item: Field) => text(item, inner))
		: Object.entries(value)
				.sort(([a], [b]) => (a < b ? -1 : 1))
				.map(([key, item]) => `${JSON.stringify(key)}: ${text(item, inner)}`);
	if (items.length === 0) return `${open}${close}`;
	return `${open}\n${items.map((item) => `${inner}${item}`).join(',\n')}\n${indent}${close}`;
}
