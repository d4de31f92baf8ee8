/** A run as people follow it: one line that renews itself on a terminal, a plain line every two seconds elsewhere. */
import type { TrainerEvent } from '../train/events.js';
import type { Output } from './output.js';
import { duration, LINE_EVERY_MS, StatusLine } from './status-line.js';

/** Steps whose mean loss is shown. */
const WINDOW = 50;

type Begin = Extract<TrainerEvent, { type: 'trainBegin' }>;

export class Progress {
	readonly #status: StatusLine;
	#begin: Begin | undefined;
	#startedMs = 0;
	#losses: number[] = [];
	#step = 0;
	/** Steps taken before this process. */
	#firstStep = 0;
	#epoch = 0;
	#evaluations = { done: 0, seconds: 0 };
	#evaluating: { readonly sinceMs: number; readonly timer: NodeJS.Timeout } | undefined;

	constructor(output: Output) {
		this.#status = new StatusLine(output);
	}

	show(event: TrainerEvent): void {
		switch (event.type) {
			case 'trainBegin':
				this.#begin = event;
				this.#startedMs = performance.now();
				this.#firstStep = event.resumedFrom?.step ?? 0;
				if (event.resumedFrom !== undefined) this.#status.say(`Going on from ${event.resumedFrom.path}`);
				this.#status.say(
					`Training ${event.model} on ${event.rows} rows: ${event.labels.join(', ')}; ${event.totalSteps} steps, ${event.stepsPerEpoch} an epoch, ${event.dtype}`,
				);
				break;
			case 'step':
				this.#step = event.step;
				this.#epoch = event.epoch;
				this.#losses = [...this.#losses.slice(1 - WINDOW), event.loss];
				this.#status.draw(this.#stepLine(), event.step === this.#begin?.totalSteps);
				break;
			case 'epochEnd':
				if (this.#begin?.evalStrategy === 'epoch') this.#watchEvaluation();
				break;
			case 'evaluate': {
				this.#endEvaluation();
				this.#evaluations = { done: this.#evaluations.done + 1, seconds: this.#evaluations.seconds + event.seconds };
				const { loss, accuracy, r2 = 0 } = event.metrics;
				const quality = accuracy === undefined ? `R2 ${r2.toFixed(4)}` : `accuracy ${accuracy.toFixed(4)}`;
				this.#status.say(
					`Step ${event.step}, epoch ${round(event.epoch)}: validation loss ${loss.toFixed(4)}, ${quality} on ${event.rows} rows in ${event.seconds.toFixed(1)} s`,
				);
				break;
			}
			case 'warning':
				this.#status.say(`warning: ${event.message}`);
				break;
			case 'save':
				this.#status.say(`Saved ${event.path}`);
				break;
		}
	}

	/** Leaves no line and no timer behind. */
	end(): void {
		this.#endEvaluation();
		this.#status.clear();
	}

	#stepLine(): string {
		const { totalSteps = 0, epochs = 0, evalRows = 0, rows = 1, evalStrategy = 'no', stepsPerEpoch = 1 } = this.#begin ?? {};
		const seconds = (performance.now() - this.#startedMs) / 1000 - this.#evaluations.seconds;
		const rate = (this.#step - this.#firstStep) / seconds;
		// Until one has been seen, an evaluated row is taken to cost a third of a trained one: no backward pass.
		const guess = (evalRows / rows) * (stepsPerEpoch / rate) * (1 / 3);
		const evaluation = this.#evaluations.done > 0 ? this.#evaluations.seconds / this.#evaluations.done : guess;
		const due = evalStrategy === 'epoch' ? epochs - this.#evaluations.done : 0;
		const left = (totalSteps - this.#step) / rate + due * evaluation;
		const loss = this.#losses.reduce((sum, value) => sum + value, 0) / this.#losses.length;
		return `step ${this.#step}/${totalSteps}  epoch ${this.#epoch.toFixed(2)}  loss ${loss.toFixed(4)}  ${rate.toFixed(2)} steps/s  ${duration(left)} left`;
	}

	#watchEvaluation(): void {
		const sinceMs = performance.now();
		const expected = this.#evaluations.done > 0 ? this.#evaluations.seconds / this.#evaluations.done : undefined;
		const draw = () => {
			const seconds = (performance.now() - sinceMs) / 1000;
			const left = expected === undefined ? '' : `, about ${duration(Math.max(0, expected - seconds))} left`;
			this.#status.draw(`evaluating ${this.#begin?.evalRows} rows: ${duration(seconds)} so far${left}`);
		};
		this.#evaluating = { sinceMs, timer: setInterval(draw, LINE_EVERY_MS).unref() };
	}

	#endEvaluation(): void {
		clearInterval(this.#evaluating?.timer);
		this.#evaluating = undefined;
	}
}

const round = (value: number): string => String(Number(value.toFixed(2)));
