/** First in, first out; taking one is as quick from a long queue as from a short one. */
export class Queue<Item> {
	#items: Item[];
	#head = 0;

	/** The queue takes `items` as its own. */
	constructor(items: Item[] = []) {
		this.#items = items;
	}

	get length(): number {
		return this.#items.length - this.#head;
	}

	get first(): Item | undefined {
		return this.#items[this.#head];
	}

	push(item: Item): void {
		this.#items.push(item);
	}

	take(): Item | undefined {
		const item = this.#items[this.#head];
		if (this.#head < this.#items.length) this.#head += 1;
		// Half of it taken: what is left moves to the front, so that a queue that never runs empty does not grow for ever.
		if (this.#head > 32 && this.#head * 2 > this.#items.length) {
			this.#items = this.#items.slice(this.#head);
			this.#head = 0;
		}
		return item;
	}
}
