/** Where the process stands. One owner: `app.ts`. */
export interface Lifecycle {
  /** `ready`: may take traffic. `draining`: what runs may finish, nothing new begins. */
  phase: 'starting' | 'ready' | 'draining';
}
